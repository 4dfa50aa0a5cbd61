import { beforeEach, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { RefusedError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { partitionedDisk } from '../../../support/undo/specimens/block.ts';
import { ownUuid } from '../../../support/undo/stage.ts';
import { bofhOn } from '../../simulator/support.ts';

const device = '/dev/vdx';
const overwrite = { uuid: ownUuid };
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 64 * 1024 ** 2 }] });
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
});

const makes: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
  ['filesystem.create', (tx) => tx.filesystem.create({ device, type: 'ext4', overwrite })],
  ['crypt.format', (tx) => tx.crypt.format({ device, key: { from: 'file', path: '/etc/key' }, overwrite })],
  ['lvm.createPv', (tx) => tx.lvm.createPv({ device, overwrite })],
  ['block.wipe', (tx) => tx.block.wipe({ device, overwrite: [ownUuid] })],
];

test.each(makes)(
  '%s refuses a disk with partitions, and lists them, even when its table is named',
  async (_, make) => {
    partitionedDisk(host, 'gpt');
    const before = host.snapshot();

    const error = await rejectionOf(withBofh(bofhOn(host), () => atomic('a disk', make)));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/has a partition table \(gpt, with the partition \/dev\/vdx1 \(16 MiB\)\)/);
    expect(host.snapshot()).toBe(before);
  },
);

test('an empty table may be overwritten once it is named', async () => {
  host.admin.partition(device, { type: 'gpt', id: ownUuid, partitions: [] });
  const make = (tx: Tx) => tx.filesystem.create({ device, type: 'ext4', overwrite });
  await withBofh(bofhOn(host), () => atomic('a disk', make));
  expect(host.snapshot()).toMatch(/now vdx holds ext4/);
});
