import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { unnamed } from '../../../src/simulator/matrix/judge.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectRefused, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const mib = 1024 ** 2;
const [one, two] = ['/dev/vdw', '/dev/vdx'];
const label = (device: string): string => `free00-0000-0000-0000-0000-0000-${device.slice(-3)}000`;

/** A group of one disk, and a free physical volume. */
function start(): SimulatedHost {
  const made = simulatedHost({ disks: ['vdw', 'vdx', 'vdy'].map((name) => ({ name, size: 64 * mib })) });
  for (const device of [one, two])
    made.admin.format(device, {
      type: 'LVM2_member',
      usage: 'raid',
      uuid: label(device),
      version: 'LVM2 001',
    });
  made.admin.vgcreate('vg1', [one]);
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = start();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('removals', body));
const groups = (on = host): readonly string[] => on.world.lvm.map(({ name }) => name);
const holds = (device: string) => host.world.live.get(`disk:${device.slice(5)}`)?.superblock?.type;

const refused = async (work: Promise<unknown>): Promise<string> => String(await expectRefused(host, work));

describe('removing a group', () => {
  const remove = (tx: Tx) => tx.lvm.removeVg({ vg: 'vg1' });

  test('only renames it before the commit; then it is gone, and its device is free', async () => {
    await does(async (tx) => {
      await remove(tx);
      expect(groups()[1]).toMatch(/^bofh_gone_[0-9a-f]{12}_1$/);
    });

    expect(groups()).toEqual(['vg0']);
    await does((tx) => tx.lvm.createVg({ name: 'vg2', devices: [one] }));
  });

  test('is refused while it has a volume, which is named, and for a missing group', async () => {
    host.admin.lvcreate({ vg: 'vg1', name: 'a', extents: 1 });

    expect(await refused(does(remove))).toContain('the volume group vg1 has volumes: vg1/a');
    expect(await refused(does((tx) => tx.lvm.removeVg({ vg: 'nope' })))).toContain('no volume group "nope"');
    const uuid = 'aaaaaa-0000-0000-0000-0000-0000-000000';
    expect(await refused(does((tx) => tx.lvm.removeVg({ vg: 'vg1', uuid })))).toContain(
      'another volume group',
    );
  });

  test('is undone: it has its name again', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await remove(tx);
        await failNow();
      }),
    );
  });

  test('is stuck while another group has its name, and is undone once that is free', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx);
        host.admin.vgcreate('vg1', [two]);
        await failNow();
      }),
    );
    expect(JSON.stringify((error as StuckError).blocked)).toContain(
      'there is a volume group \\"vg1\\" already',
    );

    host.world.lvm = host.world.lvm.filter(({ name }) => name !== 'vg1');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('stops after the commit when a volume was created in it: the result stays, and recovery continues', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx);
        host.admin.lvcreate({ vg: groups()[1] ?? '', name: 'theirs', extents: 1 });
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).committed).toBe(true);
    expect(groups()).toHaveLength(2);

    host.admin.lvremove(groups()[1] ?? '', 'theirs');
    await recoverAll(host.restart());

    expect(groups()).toEqual(['vg0']);
  });

  test('leaves it untouched after the commit when it was renamed', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx);
        host.admin.vgrename(groups()[1] ?? '', 'kept');
      }),
    );

    expect(error === undefined || error instanceof StuckError).toBe(true);
    expect(groups()).toEqual(['vg0', 'kept']);
  });
});

describe('removing the label of a physical volume', () => {
  const remove = (tx: Tx, device = two) => tx.lvm.removePv({ device });

  test('runs after the commit', async () => {
    await does(async (tx) => {
      await remove(tx);
      expect(holds(two)).toBe('LVM2_member');
    });

    expect(holds(two)).toBeUndefined();
  });

  test('never runs when the sequence fails', async () => {
    const before = host.snapshot();
    await failureOf(
      does(async (tx) => {
        await remove(tx);
        await failNow();
      }),
    );
    expect(host.snapshot()).toBe(before);
  });

  test('is refused for one in a group, a blank disk, and another one than expected', async () => {
    expect(await refused(does((tx) => remove(tx, one)))).toContain('is in the volume group vg1');
    expect(await refused(does((tx) => remove(tx, '/dev/vdy')))).toContain('is not a physical volume');
    expect(await refused(does((tx) => tx.lvm.removePv({ device: two, uuid: label(one) })))).toContain(
      'is another physical volume now',
    );
  });

  test('does not run for one that was added to a group meanwhile', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx);
        host.admin.vgextend('vg1', two);
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('is in the volume group vg1');
    expect(holds(two)).toBe('LVM2_member');
  });

  test('runs for one that the same sequence removed from its group', async () => {
    host.admin.vgextend('vg1', two);

    await does(async (tx) => {
      await tx.lvm.reduceVg({ vg: 'vg1', devices: [two] });
      await remove(tx);
    });

    expect(holds(two)).toBeUndefined();
    expect(groups()).toEqual(['vg0', 'vg1']);
  });

  test('does not run for other content of the device', async () => {
    await does(async (tx) => {
      await remove(tx);
      host.admin.format(two, { type: 'swap', usage: 'other', uuid: label(one), version: '1' });
    });

    expect(holds(two)).toBe('swap');
  });
});

describe('a group and the labels of its devices, in one sequence', () => {
  const all = async (tx: Tx): Promise<void> => {
    await tx.lvm.removeVg({ vg: 'vg1' });
    await tx.lvm.removePv({ device: one });
  };

  test('are removed in that order', async () => {
    await does(all);

    expect(groups()).toEqual(['vg0']);
    expect(holds(one)).toBeUndefined();
  });

  test('are all present, or all gone, after recovery from a kill at any point', async () => {
    const plain = (on: SimulatedHost): string => unnamed(on.snapshot(), new Set());
    await expectRecovery({ start, work: (on) => does(all, on), plain, moreThan: 2 });
  });
});
