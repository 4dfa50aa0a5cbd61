import { expect, it } from 'vitest';
import { recognise } from '../../../src/blockdevice/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { tree } from '../../../src/stack/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

/** The host while a device is suspended. */
function suspended(host: SimulatedHost, device: string): ReadHost & { readonly probed: string[] } {
  const probed: string[] = [];
  const readFile: ReadHost['readFile'] = async (path, ...more) => {
    if (!path.endsWith('/dm/suspended')) return host.readFile(path, ...more);
    const name = Buffer.from(await host.readFile(path.replace(/suspended$/, 'name'))).toString();
    return Buffer.from(name === `${device}\n` ? '1\n' : '0\n');
  };
  const run: ReadHost['run'] = (command) => {
    if (['blkid', 'wipefs', 'dd'].includes(command.tool)) probed.push(...command.argv);
    return host.run(command);
  };
  return Object.assign(Object.create(host) as ReadHost, { readFile, run, probed });
}

it.each([
  ['/dev/vg0/web1', 'vg0-web1', 'dmsetup resume vg0-web1;', /dm-0|dm-2|vg0-web1|vg0\/web1|secret/],
  ['/dev/mapper/secret', 'vg0-web1', 'dmsetup resume vg0-web1;', /dm-0|dm-2|vg0-web1|vg0\/web1|secret/],
  ['/dev/mapper/secret', 'secret', 'cryptsetup luksResume secret;', /dm-2|secret/],
])('%s is not read while %s is suspended', async (device, below, remedy, names) => {
  const host = simulatedHost();
  await withBofh(simulatedBofh({ host }), () =>
    atomic('test', async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      await tx.lvm.createLv({ vg: 'vg0', name: 'other', size: '64m' });
      host.admin.writeFile('/root/key', 'a key', 0o600);
      const key = { from: 'file', path: '/root/key' } as const;
      await tx.crypt.format({ device: path, key });
      await tx.crypt.open({ device: path, name: 'secret', key });
    }),
  );
  const at = suspended(host, below);

  const error = await rejectionOf(recognise(at, device));
  expect(error).toBeInstanceOf(RefusedError);
  expect(error).toMatchObject({ remedy: expect.stringContaining(remedy) as unknown });
  const { devices } = await tree({ host: at });
  const unknown = devices.flatMap((each) => each.unknown).join();
  expect(unknown).toContain(`the device-mapper device ${below} is suspended`);
  expect(at.probed.join(' ')).not.toMatch(names);
  expect(await recognise(at, '/dev/vg0/other')).toBeUndefined();
});
