import { beforeEach, describe, expect, it } from 'vitest';
import { createBaseStructure, defaultSubvolume } from '../../../src/api/btrfs.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { plainPool } from '../../support/undo/specimens/btrfs.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { unnamed } from '../simulator/sweep.ts';

const top = '/srv/pool';
const starting = ['etc', 'kept', 'lost+found', 'one with spaces'];

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  plainPool(host);
});

const names = (path = top): Promise<readonly string[]> => host.readDir(path);
const make = (asked: Partial<Parameters<typeof createBaseStructure>[0]> = {}) =>
  withBofh(bofhOn(host), () => createBaseStructure({ path: top, name: 'data', ...asked }));
const does = (body: (tx: Tx) => Promise<unknown>) => withBofh(bofhOn(host), () => atomic('structure', body));
const text = async (path: string): Promise<string> => new TextDecoder().decode(await host.readFile(path));

describe('a base structure', () => {
  it('has the former top level in a subvolume, and nothing else anywhere', async () => {
    const { made, defaultWas } = await make();

    expect(await names()).toEqual(['snapshots', 'subvolumes']);
    expect(await names(`${top}/subvolumes`)).toEqual(['data']);
    expect(await names(`${top}/snapshots`)).toEqual([]);
    expect(await names(made.path)).toEqual(starting);
    expect(await text(`${made.path}/kept`)).toBe('what was there before\n');
    expect(await text(`${made.path}/etc/passwd`)).toBe('root\n');
    expect(defaultWas).toBeUndefined();
  });

  it('can be the default mount', async () => {
    const { made, defaultWas, fstab } = await make({ default: 'set' });

    expect(defaultWas).toBe(5);
    expect(fstab).toEqual([]);
    expect(await withBofh(bofhOn(host), () => defaultSubvolume(top))).toBe(made.id);
  });

  it('reports the affected lines of fstab, without the data', async () => {
    const lines = [
      'UUID=5e1f0000-0000-4000-8000-000000000001 /srv/pool btrfs defaults 0 0',
      '/dev/vg0/pool /other btrfs subvolid=5,noatime 0 0',
      '/dev/vg0/pool /third btrfs subvol=/subvolumes/data 0 0',
      '/dev/vda / ext4 defaults 0 1',
      'UUID="5e1f0000-0000-4000-8000-000000000001" /fifth btrfs defaults 0 0',
      '/dev/none /sixth btrfs noauto 0 0',
    ];
    host.admin.writeFile('/etc/fstab', `${lines.join('\n')}\n`);
    expect((await make()).fstab.map(({ number, target }) => [number, target])).toEqual([
      [1, '/srv/pool'],
      [2, '/other'],
      [5, '/fifth'],
    ]);
  });

  it('is undone as a whole, also when the last step or the script fails', async () => {
    const before = unnamed(host.snapshot());
    host.fault({ tool: 'btrfs', argvIncludes: 'set-default', mode: 'fails before' });
    await expect(make({ default: 'set' })).rejects.toThrow(RolledBackError);
    expect(await names()).toEqual(starting);
    expect(unnamed(host.snapshot())).toBe(before);

    await expect(
      does(async (tx) => {
        await tx.btrfs.moveTopLevel({ path: `${top}/data` });
        throw new Error('the script failed');
      }),
    ).rejects.toThrow(RolledBackError);
    expect(unnamed(host.snapshot())).toBe(before);
  });

  it.each([
    [
      'a subvolume is there',
      () => host.admin.btrfs('subvolume', 'create', `${top}/home`),
      /subvolumes already/,
    ],
    ['one half of it is there', () => host.admin.mkdir(`${top}/snapshots`), /snapshots exists already/],
    ['a process works in it', () => host.admin.hold(`${top}/etc`, 'postgres'), /postgres/],
    ['something is mounted in it', () => mountInside(), /mounted on \/srv\/pool\/etc/],
    ['it is mounted twice', () => host.admin.mount('/dev/vg0/pool', '/mnt'), /mounted on \/mnt/],
    ['a loop device has a file of it', () => host.admin.losetup(`${top}/kept`), /loop0/],
  ])('is refused while %s, and nothing changes', async (_, arrange, why) => {
    arrange();
    const before = unnamed(host.snapshot());
    const error = await make().catch((failure: unknown) => failure);

    expect(error).toMatchObject({ message: expect.stringMatching(why) as unknown });
    expect(error).not.toBeInstanceOf(StuckError);
    expect(unnamed(host.snapshot())).toBe(before);
  });

  it('is refused below the top level, outside btrfs, and without a name', async () => {
    await expect(make({ path: `${top}/etc` })).rejects.toThrow(/not the top level/);
    await expect(make({ path: '/etc' })).rejects.toThrow(/not on btrfs/);
    await expect(make({ name: 'a/b' })).rejects.toThrow(UsageError);
    await expect(make({ name: '.bofh-x' })).rejects.toThrow(/reserved for bofh/);
    expect(await names()).toEqual(starting);
  });

  function mountInside(): void {
    host.admin.lvcreate({ vg: 'vg0', name: 'inner', extents: 3 });
    host.admin.format('/dev/vg0/inner', { type: 'ext4', usage: 'filesystem' });
    host.admin.mount('/dev/vg0/inner', `${top}/etc`);
  }
});

describe('a subvolume that moves out of the top level', () => {
  it('does not move with a nested subvolume, which no snapshot would contain', async () => {
    host.admin.btrfs('subvolume', 'create', `${top}/etc/inner`);
    await expect(does((tx) => tx.btrfs.moveTopLevel({ path: `${top}/data` }))).rejects.toThrow(
      /etc\/inner .* is in a directory of the top level/,
    );
    expect(await names()).toEqual(starting);
  });

  it('is not deleted when the target subvolume was removed', async () => {
    host.fault({ tool: 'find', argvIncludes: '-delete', mode: 'fails before' });
    await expect(does((tx) => tx.btrfs.moveTopLevel({ path: `${top}/data` }))).rejects.toThrow(StuckError);
    host.clearFaults();
    const aside = (await names()).find((name) => name.startsWith('.bofh-gone-'));
    host.admin.btrfs('subvolume', 'delete', '--commit-each', '--subvolid', '256', top);

    await expect(recoverAll(host)).rejects.toThrow(/is not deleted/);
    expect(await names(`${top}/${aside ?? ''}`)).toEqual(starting);
  });

  it('gets its name back only if that is free', async () => {
    const failing = does(async (tx) => {
      await tx.btrfs.moveTopLevel({ path: `${top}/data` });
      host.admin.writeFile(`${top}/kept`, 'of somebody else\n');
      throw new Error('the script failed');
    });
    await expect(failing).rejects.toThrow(StuckError);
    expect(await text(`${top}/kept`)).toBe('of somebody else\n');
    expect(await text(`${top}/data/kept`)).toBe('what was there before\n');

    host.admin.rename(`${top}/kept`, `${top}/theirs`);
    await recoverAll(host);
    expect(await text(`${top}/kept`)).toBe('what was there before\n');
    expect(await names()).toEqual([...starting, 'theirs'].sort());
  });

  it('is refused when a process has it open at the act, and stays in place', async () => {
    const arrives = does(async (tx) => {
      await tx.btrfs.createSubvolume({ path: `${top}/home` });
      host.admin.hold(`${top}/kept`, 'postgres');
      await tx.btrfs.moveTopLevel({ path: `${top}/data` });
    });
    await expect(arrives).rejects.toThrow(/postgres\) has open/);
    expect(await names()).toEqual(starting);
  });
});
