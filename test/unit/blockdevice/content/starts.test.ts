import { expect, it } from 'vitest';
import { oneLook } from '../../../../src/blockdevice/index.ts';
import { readStarts, refuseUnread, unseen } from '../../../../src/blockdevice/content/unseen.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';

const devices = ['/dev/dm-0', '/dev/dm-1', '/dev/dm-2', '/dev/dm-3'];

/** Four volumes, of whose starts perl says: a damaged ext, nothing, bcachefs, not readable. */
function look() {
  const host = simulatedHost();
  for (const name of ['a', 'b', 'c', 'd']) host.admin.lvcreate({ vg: 'vg0', name, extents: 1 });
  const asked: string[] = [];
  const run: SimulatedHost['run'] = async (command) => {
    if (command.tool === 'perl') return command.parse({ exitCode: 0, stdout: '0\n-\n1\n?\n', stderr: '' });
    asked.push(`${command.tool} ${command.argv.at(-1) ?? ''}`);
    return host.run(command);
  };
  return { host: oneLook({ ...host, run }), asked };
}

it('one look at many starts keeps what needs no look of its own', async () => {
  const { host, asked } = look();

  expect(await readStarts(host, devices)).toEqual(['/dev/dm-1', '/dev/dm-2']);

  expect(await unseen(host, '/dev/dm-1')).toBeUndefined();
  expect(await unseen(host, '/dev/dm-2')).toEqual({ type: 'bcachefs', usage: 'other' });
  for (const device of devices) await refuseUnread(host, device);
  expect(asked).toEqual(['debugfs /dev/dm-0', 'debugfs /dev/dm-3']);
});
