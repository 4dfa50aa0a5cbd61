import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as btrfs from '../../src/btrfs/index.ts';
import { addDevice, removeDevice, replaceDevice } from '../../src/btrfs/operations.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

const mib = 1024 ** 2;

let disk: ReturnType<typeof storage>;
let root: string;
let first: string;
let more: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  first = disk.btrfs('a.img');
  more = disk.btrfs('b.img');
  sh('wipefs', '--all', more);
  sh('mount', first, root);
  writeFileSync(join(root, 'file'), Buffer.alloc(4 * mib, 'bofh'));
  sh('sync', '--file-system', root);
});

afterEach(() => disk.clean());

const engine = () => testEngine(disk.path('state'));
const devices = async () => (await btrfs.devices(engine().host, root)).map(({ path }) => path);
const hash = () => sh('sha256sum', join(root, 'file'));
const holds = (device: string): string => {
  try {
    return sh('blkid', '-p', '-o', 'value', '-s', 'TYPE', device).trim();
  } catch {
    return 'nothing';
  }
};

describe('the devices of a real btrfs', () => {
  it('are added and removed, and the files move to the remaining ones', async () => {
    const before = hash();
    const added = await sequence(engine(), (tx) => tx.step(addDevice, { path: root, device: more }));
    expect(added).toMatchObject({ device: more, devid: 2 });
    expect(await devices()).toEqual([first, more]);

    const gone = await sequence(engine(), (tx) => tx.step(removeDevice, { path: root, device: first }));

    expect(gone).toMatchObject({ device: first, devid: 1 });
    expect(await devices()).toEqual([more]);
    expect(mountedPaths(more)).toEqual([root]);
    expect(holds(first)).toBe('nothing');
    expect(hash()).toBe(before);
    await expect(
      sequence(engine(), (tx) => tx.step(removeDevice, { path: root, device: more })),
    ).rejects.toThrow(/has no other device/);
  });

  it('are restored when the sequence fails, with everything written meanwhile', async () => {
    const failed = sequence(engine(), async (tx) => {
      await tx.step(addDevice, { path: root, device: more });
      writeFileSync(join(root, 'new'), Buffer.alloc(4 * mib, 'new'));
      await tx.step(removeDevice, { path: root, device: first });
      throw new Error('later');
    });
    await expect(failed).rejects.toThrow(RolledBackError);
    expect(await devices()).toEqual([first]);
    expect(holds(more)).toBe('nothing');
    expect(readFileSync(join(root, 'new')).length).toBe(4 * mib);
    expect(sh('btrfs', 'scrub', 'start', '-B', root)).toContain('no errors found');
  });

  it('are reported by the undo when others have replaced them', async () => {
    const third = disk.btrfs('c.img');
    const failed = sequence(engine(), async (tx) => {
      await tx.step(addDevice, { path: root, device: more });
      sh('btrfs', 'replace', 'start', '-B', '-f', more, third, root);
      throw new Error('later');
    });
    const { leftUntouched } = (await failed.catch((error: unknown) => error)) as RolledBackError;
    expect(leftUntouched.join()).toContain(`${more} was replaced by ${third}`);
    expect(await devices()).toEqual([first, third]);
  });

  it('with content are overwritten only when that content is named', async () => {
    sh('mkfs.ext4', '-q', more);
    const add = (overwrite: object) =>
      sequence(engine(), (tx) => tx.step(addDevice, { path: root, device: more, ...overwrite }));
    await expect(add({})).rejects.toThrow(/holds ext4/);
    const uuid = sh('blkid', '-p', '-o', 'value', '-s', 'UUID', more).trim();
    expect(await add({ overwrite: { uuid } })).toMatchObject({ devid: 2 });
  });

  it('are refused if too small, in use, or needed by raid1', async () => {
    const remove = () => sequence(engine(), (tx) => tx.step(removeDevice, { path: root, device: more }));
    const add = (device: string) => sequence(engine(), (tx) => tx.step(addDevice, { path: root, device }));
    await expect(add(disk.ext4('small.img').device)).rejects.toThrow(/btrfs needs 109 MiB/);
    await add(more);
    await expect(add(more)).rejects.toThrow(/is a device of the btrfs on .* already/);
    sh('btrfs', 'balance', 'start', '-f', '-mconvert=raid1', '-sconvert=raid1', root);
    await expect(remove()).rejects.toThrow(/is RAID1, which needs 2 devices; 1 would be left/);
  });

  it('are not removed when their data fits nowhere else; the kernel restores them', async () => {
    sh('umount', root);
    truncateSync(disk.path('b.img'), 512 * mib);
    sh('losetup', '--set-capacity', more);
    sh('mount', first, root);
    await sequence(engine(), (tx) => tx.step(addDevice, { path: root, device: more }));
    const fill = (name: string, size: number): void => {
      writeFileSync(join(root, name), Buffer.alloc(size * mib, name));
      sh('sync', '--file-system', root);
    };
    fill('x', 90);
    const failure = sequence(engine(), (tx) => tx.step(removeDevice, { path: root, device: more }));
    await expect(failure).rejects.toThrow(/No space left on device/);
    expect(await devices()).toEqual([first, more]);
    fill('y', 150);
    await expect(
      sequence(engine(), (tx) => tx.step(removeDevice, { path: root, device: more })),
    ).rejects.toThrow(/but its other devices have only 128 MiB/);
  });

  it('are replaced after the commit; a missing one is named by its number', async () => {
    sh('umount', root);
    for (const [image, device] of [
      ['a.img', first],
      ['b.img', more],
    ] as const) {
      truncateSync(disk.path(image), 512 * mib);
      sh('losetup', '--set-capacity', device);
    }
    sh('mount', first, root);
    sh('btrfs', 'filesystem', 'resize', 'max', root);
    const before = hash();
    const replace = (of: { device: string | number; by: string }) =>
      sequence(engine(), (tx) => tx.step(replaceDevice, { path: root, ...of }));
    await replace({ device: first, by: more });
    expect(await devices()).toEqual([more]);
    expect(holds(first)).toBe('nothing');
    expect(hash()).toBe(before);

    await sequence(engine(), (tx) => tx.step(addDevice, { path: root, device: first }));
    sh('btrfs', 'balance', 'start', '-f', '-mconvert=raid1', '-sconvert=raid1', '-dconvert=raid1', root);
    sh('umount', root);
    // Overwritten behind its back, it is missing from then on.
    sh('wipefs', '--all', first);
    sh('btrfs', 'device', 'scan', '--forget');
    sh('mount', '-o', 'degraded', more, root);
    expect(await devices()).toEqual([more, undefined]);
    const third = disk.btrfs('c.img');
    sh('wipefs', '--all', third);
    await expect(replace({ device: 2, by: third })).rejects.toThrow(
      /has only 128 MiB; the device that it replaces has 512 MiB/,
    );
    truncateSync(disk.path('c.img'), 512 * mib);
    sh('losetup', '--set-capacity', third);
    await replace({ device: 2, by: third });
    expect(await devices()).toEqual([more, third]);
    expect(hash()).toBe(before);
  });
});
