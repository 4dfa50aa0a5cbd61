import { describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Command, nothing } from '../../../src/command/index.ts';
import { StuckError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { activateLv } from '../../../src/simulator/tools/lvm/volumes.ts';
import { bofhOn } from './support.ts';

/** The volumes there are, by their full names. */
const volumesOf = ({ world }: SimulatedHost): readonly string[] =>
  world.lvm.flatMap((vg) => vg.lvs.map(({ name }) => `${vg.name}/${name}`)).sort();

function withSnapshot(): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  host.admin.snapshot({ vg: 'vg0', name: 'of-others', origin: 'web1', extents: 2 });
  return host;
}

const lvremove = (host: SimulatedHost, ...argv: readonly string[]): Promise<void> => {
  const command: Command<void, 'destroy'> = { tool: 'lvremove', argv, access: 'destroy', parse: nothing };
  return host.during({ outputs: '/nowhere', lock: -1 }).run(command);
};

describe('lvremove', () => {
  test('asks before it removes an active volume, and closed input means no', async () => {
    const host = withSnapshot();

    await expect(lvremove(host, 'vg0/web1')).rejects.toThrow('vg0/web1 not removed');
    expect(volumesOf(host)).toContain('vg0/web1');
  });

  test('with --yes removes an active origin and the snapshots of others without a question', async () => {
    const host = withSnapshot();
    const before = volumesOf(host);

    await lvremove(host, '--yes', 'vg0/web1');

    expect(before.filter((name) => !volumesOf(host).includes(name))).toEqual(['vg0/of-others', 'vg0/web1']);
  });
});

/** Creates a volume and fails; just before the undo removes it, another process does something to it. */
async function undoneWhile(meanwhile: (host: SimulatedHost) => void) {
  const host = simulatedHost();
  host.faults.watch(({ tool }) => {
    if (tool === 'lvremove') meanwhile(host);
  });
  const error: unknown = await withBofh(bofhOn(host), () =>
    atomic('disk', async (tx) => {
      await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '16m' });
      throw new Error('the script failed');
    }),
  ).catch((thrown: unknown) => thrown);
  return { host, error };
}

describe('the undo of createLv', () => {
  test('does not remove a volume that was activated between its check and its act', async () => {
    const { host, error } = await undoneWhile(({ world }) => {
      const lv = world.lvm.flatMap((vg) => vg.lvs).find(({ name }) => name === 'web1');
      if (lv !== undefined) activateLv(world, lv);
    });

    expect(error).toBeInstanceOf(StuckError);
    expect(volumesOf(host)).toContain('vg0/web1');
  });

  test('removes no snapshot that was created between its check and its act', async () => {
    const { host, error } = await undoneWhile(({ admin, world }) => {
      const there = world.lvm.some((vg) => vg.lvs.some(({ name }) => name === 'of-others'));
      if (!there) admin.snapshot({ vg: 'vg0', name: 'of-others', origin: 'web1', extents: 2 });
    });

    expect(error).toBeInstanceOf(StuckError);
    expect(volumesOf(host)).toEqual(expect.arrayContaining(['vg0/of-others', 'vg0/web1']));
  });
});
