import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { commandLine } from '../../../src/command/index.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { extendVg, reduceVg } from '../../../src/lvm/operations.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulate, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { unnamed } from '../../../src/simulator/matrix/judge.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectRefused, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const mib = 1024 ** 2;
const [one, two] = ['/dev/vdw', '/dev/vdx'];

function hostWithPvs(): SimulatedHost {
  const made = simulatedHost({ disks: ['vdw', 'vdx', 'vdy'].map((name) => ({ name, size: 64 * mib })) });
  for (const device of [one, two]) {
    const uuid = `free00-0000-0000-0000-0000-0000-${device.slice(-3)}000`;
    made.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  }
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithPvs();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('devices', body));
const extend = (tx: Tx, ...devices: string[]) => tx.lvm.extendVg({ vg: 'vg0', devices });
const reduce = (tx: Tx, ...devices: string[]) => tx.lvm.reduceVg({ vg: 'vg0', devices });
const group = (on = host) => on.world.lvm.find(({ name }) => name === 'vg0');
const members = (on = host) => group(on)?.pvs.map(({ path }) => path);
/** All that is left of the first device, and one extent of the next. */
const fill = (): void => void host.admin.lvcreate({ vg: 'vg0', name: 'big', extents: 2048 });

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await expectRefused(host, work);
  return `${String(error)} ${String(error.remedy)}`;
}

describe('extending a group', () => {
  test('adds the devices', async () => {
    expect(await does((tx) => extend(tx, one, two))).toEqual({ vg: 'vg0', uuid: group()?.uuid });
    expect(members()).toEqual(['/dev/vdb', one, two]);
  });

  test('is refused for a device in a group, a blank one, a small one, and a missing group', async () => {
    await does((tx) => tx.lvm.createVg({ name: 'vg1', devices: [one], extentSize: '32m' }));

    expect(await refused(does((tx) => extend(tx, one)))).toContain('in the volume group vg1 already');
    expect(await refused(does((tx) => extend(tx, '/dev/vdy')))).toContain('is not a physical volume');
    expect(await refused(does((tx) => tx.lvm.extendVg({ vg: 'nope', devices: [two] })))).toContain(
      'no volume group',
    );
    const uuid = 'aaaaaa-0000-0000-0000-0000-0000-000000';
    expect(await refused(does((tx) => tx.lvm.extendVg({ vg: 'vg0', uuid, devices: [two] })))).toContain(
      'another volume group is now named',
    );
    host = simulatedHost({
      disks: [{ name: 'vdw', size: 64 * mib }],
      volumeGroups: [{ name: 'vg0', size: 1024 ** 3, extentSize: 64 * mib }],
    });
    await does((tx) => tx.lvm.createPv({ device: one }));
    expect(await refused(does((tx) => extend(tx, one)))).toContain('an extent of 64 MiB does not fit');
  });

  test('is undone, also when the group was renamed', async () => {
    const before = host.snapshot();

    const error = await failureOf(
      does(async (tx) => {
        await extend(tx, one, two);
        const vg = group();
        if (vg !== undefined) vg.name = 'vg9';
        await failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before.replaceAll('vg0', 'vg9'));
  });

  test('is stuck below a foreign volume: the device is named, and the undo finishes once it is gone', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await extend(tx, one);
        fill();
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toMatch(
      /volumes have extents on \/dev\/vdw: vg0\/big.*pvmove/,
    );
    expect(members()).toContain(one);

    host.admin.lvremove('vg0', 'big');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('leaves alone a device that others added to their group', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await extend(tx, one);
        host.admin.vgreduce('vg0', one);
        await tx.effect(
          'theirs',
          async () => {
            const [vg] = host.world.lvm;
            if (vg === undefined) return;
            const uuid = 'theirs-0000-0000-0000-0000-0000-000000';
            host.world.lvm = [...host.world.lvm, { ...vg, name: 'theirs', uuid, pvs: [], lvs: [] }];
            host.admin.vgextend('theirs', one);
          },
          async () => undefined,
          { claims: {} },
        );
        await failNow();
      }),
    );

    expect((error as RolledBackError).leftUntouched.join()).toContain(
      '/dev/vdw is in the volume group theirs',
    );
  });

  test('does nothing when the device is taken between check and act', async () => {
    const args = { vg: 'vg0', devices: [one] };
    const undo = await extendVg.prepare({ args, mark: 'bofh.0a.1', host });
    host.admin.format(one, undefined);
    const change = host.during({ outputs: '/nowhere', lock: -1 });

    expect(String(await failureOf(extendVg.run({ args, undo, host: change })))).toContain(
      'is not a physical volume',
    );
    expect(host.changes).toEqual([]);
  });
});

describe('reducing a group', () => {
  beforeEach(() => {
    host.admin.vgextend('vg0', one, { tags: ['slow', 'old'], allocatable: 'no' });
    host.admin.vgextend('vg0', two);
  });

  test('removes the devices, which are free then', async () => {
    await does((tx) => reduce(tx, one, two));

    expect(members()).toEqual(['/dev/vdb']);
    await does((tx) => tx.lvm.createVg({ name: 'vg1', devices: [one, two] }));
  });

  test('is refused where volumes are, for all devices, and for one of no or another group', async () => {
    expect(await refused(does((tx) => reduce(tx, '/dev/vdb', one, two)))).toContain(
      'a group cannot be without devices',
    );
    expect(await refused(does((tx) => reduce(tx, '/dev/vdy')))).toContain('is not a physical volume');
    fill();
    // The first one is not allocatable, so it is on the second.
    expect(await refused(does((tx) => reduce(tx, two)))).toMatch(
      /have extents on \/dev\/vdx: vg0\/big .*pvmove \/dev\/vdx/,
    );
    await does((tx) => reduce(tx, one));
    expect(await refused(does((tx) => reduce(tx, one)))).toContain(
      'is not in the volume group vg0, but in none',
    );
  });

  test('is undone with the tags and the allocation flags of the devices', async () => {
    await expectUndone(host, () => does(async (tx) => [await reduce(tx, one, two), await failNow()]));
    expect(group()?.pvs[1]).toMatchObject({ tags: ['slow', 'old'], allocatable: 'no' });
  });

  test('is undone completely after a kill before the tags are restored', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'pvchange', mode: 'crash here' });
    await failureOf(does(async (tx) => [await reduce(tx, one), await failNow()]));
    host.clearFaults();
    expect(group()?.pvs.at(-1)).toMatchObject({ path: one });

    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('leaves alone a device that has another use now', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await reduce(tx, one);
        host.admin.format(one, undefined);
        await failNow();
      }),
    );

    expect((error as RolledBackError).leftUntouched.join()).toContain('is not a physical volume any more');
    expect(members()).toEqual(['/dev/vdb', two]);
  });

  test('does nothing when a volume was created between check and act', async () => {
    const args = { vg: 'vg0', devices: [two] };
    const undo = await reduceVg.prepare({ args, mark: 'bofh.0a.1', host });
    fill();
    const change = host.during({ outputs: '/nowhere', lock: -1 });

    expect(String(await failureOf(reduceVg.run({ args, undo, host: change })))).toContain('have extents on');
    expect(host.changes).toEqual([]);
  });
});

describe('a disk replaced in one sequence', () => {
  const exchange = async (tx: Tx): Promise<void> => {
    await extend(tx, (await tx.lvm.createPv({ device: '/dev/vdy' })).device);
    await reduce(tx, one);
    await tx.lvm.createVg({ name: 'vg1', devices: [one, two] });
  };
  const start = (): SimulatedHost => {
    const made = hostWithPvs();
    made.admin.vgextend('vg0', one, { tags: ['slow'] });
    return made;
  };

  test('is all undone when it fails afterwards', async () => {
    host = start();
    const before = host.snapshot();

    await failureOf(
      does(async (tx) => {
        await exchange(tx);
        await failNow();
      }),
    );

    expect(host.snapshot()).toBe(before);
  });

  test('has a plan with the exact changes of the run, although the plan only reads the host', async () => {
    host = start();
    const plan = await simulate(host);
    const lines = (on: SimulatedHost): readonly string[] =>
      on.changes.flatMap((change) =>
        change.what === 'command' ? [unnamed(commandLine(change.command), new Set())] : [],
      );

    await does(exchange, plan);
    expect(host.changes).toEqual([]);
    await does(exchange);

    expect(lines(plan)).toHaveLength(4);
    expect(lines(plan)).toEqual(lines(host));
  });

  test('is all undone, or all done, by recovery from a kill at any point', async () => {
    const plain = (on: SimulatedHost): string => unnamed(on.snapshot(), new Set());
    await expectRecovery({ start, work: (on) => does(exchange, on), plain, moreThan: 3 });
  });
});
