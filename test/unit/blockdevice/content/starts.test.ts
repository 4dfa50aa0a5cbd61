import { expect, it } from 'vitest';
import { oneLook } from '../../../../src/blockdevice/index.ts';
import {
  readStarts,
  refuseUnread,
  refuseUnseen,
  unseen,
} from '../../../../src/blockdevice/content/unseen.ts';
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

it('one look at many devices skips those that need none', async () => {
  const { host, asked } = look();

  expect(await readStarts(host, devices)).toEqual(['/dev/dm-1', '/dev/dm-2']);

  expect(await unseen(host, '/dev/dm-1')).toBeUndefined();
  expect(await unseen(host, '/dev/dm-2')).toEqual({ type: 'bcachefs', usage: 'other' });
  for (const device of devices) await refuseUnread(host, device);
  expect(asked).toEqual(['debugfs /dev/dm-0', 'debugfs /dev/dm-3']);
});

// As their own documents have them: most of these are known to no blkid.
it.each([
  ['bcachefs', 4120, 'c68573f666ce90a9d96a60cf803df7ef'],
  ['scoutfs', 65_540, '8b423c10'],
  ['qcow2', 0, '514649fb00000003'],
  ['qed', 0, '51454400'],
  ['vmdk', 0, '4b444d56'],
  ['vhd', 0, '636f6e6563746978'],
  ['vhdx', 0, '7668647866696c65'],
  ['vdi', 64, '7f10dabe'],
  ['oracleasm', 32, '4f52434c4449534b'],
])('a device with %s is not blank, although blkid knows nothing on it', async (type, at, bytes) => {
  const host = simulatedHost();
  for (const name of ['a', 'b']) host.admin.lvcreate({ vg: 'vg0', name, extents: 1 });
  host.admin.writeBytes('/dev/vg0/a', at, Buffer.from(bytes, 'hex'));

  expect(await unseen(host, '/dev/vg0/a')).toEqual({ type, usage: 'other' });
  const together = oneLook(host);
  expect(await readStarts(together, ['/dev/dm-0', '/dev/dm-1'])).toEqual(['/dev/dm-0', '/dev/dm-1']);
  expect(await unseen(together, '/dev/dm-0')).toEqual({ type, usage: 'other' });
  await expect(refuseUnseen(host, '/dev/vg0/a', 'written')).rejects.toMatchObject({
    message: `/dev/vg0/a contains ${type}, which blkid on this host does not recognise; nothing was written`,
    remedy: `if its content is not needed: bofh block zero /dev/vg0/a --overwrite ${type}`,
  });
});
