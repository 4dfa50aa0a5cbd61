import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn } from '../simulator/support.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const device = '/dev/vg0/web1';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  host.admin.snapshot({ vg: 'vg0', name: 'old', origin: 'web1', extents: 4 });
  host.admin.mkdir('/mnt/web1');
});

const mount = (tx: Pick<Tx, 'mount'>): Promise<unknown> =>
  tx.mount.mount({ device, path: '/mnt/web1', mode: 'ro' });

describe('an act after the commit on a device that a later step of the sequence uses', () => {
  it.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    ['block.zero', (tx) => tx.block.zero({ device, overwrite: [uuid] })],
    ['block.discard', (tx) => tx.block.discard({ device, overwrite: [uuid] })],
    ['lvm.mergeSnapshot', (tx) => tx.lvm.mergeSnapshot({ vg: 'vg0', name: 'old' })],
  ])('%s: the sequence is rolled back, not committed and stuck', async (kind, act) => {
    const run = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
      withBofh(bofhOn(host), () => atomic('both', body));

    const error = await rejectionOf(
      run(async (tx) => {
        await act(tx);
        await mount(tx);
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect((error as RolledBackError).cause).toMatchObject({
      name: 'RefusedError',
      message: expect.stringMatching(
        new RegExp(`step 1 ${kind} acts after the commit, .*mounted on /mnt/web1.*step 2 mount.mount`),
      ) as string,
      remedy: expect.stringContaining('in a second sequence') as string,
    });
    expect((error as RolledBackError).cause).toBeInstanceOf(RefusedError);
    expect(Buffer.from(await host.readFile('/proc/self/mountinfo')).toString()).not.toContain('/mnt/web1');

    // Without the mount it is done, and a mount that ends before the commit is no obstacle.
    await run(async (tx) => {
      await act(tx);
      if (kind !== 'lvm.mergeSnapshot') await mount(tx.temporary);
    });
  });
});
