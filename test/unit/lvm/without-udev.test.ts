import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { bofhOn } from '../simulator/support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ udev: 'absent' });
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('without udev', body));
const volume = { vg: 'vg0', name: 'a' } as const;

/** Of a program of lvm that would wait for udevd. */
const commands = () =>
  host.changes.flatMap((each) =>
    each.what === 'command' && /^(?:lv|vg|pv)[a-z]/.test(each.command.tool) ? [each.command.argv] : [],
  );

describe('on a host without udevd', () => {
  test('no program of lvm waits for it, forwards or back', async () => {
    const before = host.snapshot();
    const failed = does(async (tx) => {
      await tx.lvm.createLv({ ...volume, size: '64m' });
      await tx.lvm.resizeLv({ ...volume, size: '80m' });
      await tx.lvm.renameLv({ ...volume, to: 'b' });
      await tx.lvm.deactivateLv({ vg: 'vg0', name: 'b' });
      throw new Error('the script failed');
    });
    await expect(failed).rejects.toThrow(RolledBackError);

    expect(commands().length).toBeGreaterThan(6);
    for (const argv of commands()) expect(argv.join(' ')).toContain('activation{udev_sync=0 udev_rules=0}');
    expect(host.snapshot()).toBe(before);
  });

  test('a new volume has its device, and the device is removed with it', async () => {
    await does((tx) => tx.lvm.createLv({ ...volume, size: '64m' }));
    expect((await host.stat('/dev/vg0/a'))?.kind).toBeDefined();
    await does((tx) => tx.lvm.removeLv(volume));
    expect(await host.stat('/dev/vg0/a')).toBeUndefined();
  });
});
