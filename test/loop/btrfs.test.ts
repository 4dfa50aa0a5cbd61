import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Steps } from '../../src/atomic/index.ts';
import { recover } from '../../src/atomic/recovery/recover.ts';
import {
  createSubvolume,
  removeSubvolume,
  setDefaultSubvolume,
  setProperty,
  snapshot,
} from '../../src/btrfs/operations.ts';
import * as btrfs from '../../src/btrfs/index.ts';
import { RefusedError, RolledBackError, StuckError } from '../../src/core/errors.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;
let device: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  device = disk.btrfs('a.img');
  sh('mount', device, root);
  sh('btrfs', 'subvolume', 'create', at('home'));
  writeFileSync(at('home/file'), 'kept');
});

afterEach(() => disk.clean());

const at = (name: string): string => join(root, name);
const engine = () => testEngine(disk.path('state'));
const host = () => engine().host;
const names = (): readonly string[] => readdirSync(root);
const uuidOf = async (name: string): Promise<string | undefined> =>
  (await btrfs.subvolume(host(), at(name))).uuid;

async function rolledBack(body: Parameters<typeof sequence>[1]): Promise<unknown> {
  const failure = sequence(engine(), async (tx) => {
    await body(tx);
    throw new Error('later');
  });
  return failure.catch((error: unknown) => error);
}

describe('subvolumes on a real btrfs', () => {
  it('are created at their path, and leave nothing else behind', async () => {
    const made = await sequence(engine(), async (tx) => [
      await tx.step(createSubvolume, { path: at('new') }),
      await tx.step(snapshot, { source: at('home'), path: at('snap one'), mode: 'ro' }),
      await tx.step(snapshot, { source: at('snap one'), path: at('copy'), mode: 'rw' }),
    ]);

    expect(names()).toEqual(['copy', 'home', 'new', 'snap one']);
    expect(await uuidOf('new')).toBe(made[0]?.uuid);
    const snap = await btrfs.subvolume(host(), at('snap one'));
    expect(snap).toMatchObject({ mode: 'ro', parentUuid: await uuidOf('home'), uuid: made[1]?.uuid });
    expect(existsSync(at('copy/file'))).toBe(true);
  });

  it('are removed after a failure, with their content', async () => {
    const error = await rolledBack(async (tx) => {
      await tx.step(createSubvolume, { path: at('new') });
      await tx.step(createSubvolume, { path: at('new/inner') });
      writeFileSync(at('new/inner/file'), 'x');
      await tx.step(snapshot, { source: at('home'), path: at('new/inner/snap'), mode: 'ro' });
    });

    expect(error).toBeInstanceOf(RolledBackError);
    expect(names()).toEqual(['home']);
    expect(await btrfs.subvolumes(host(), root)).toHaveLength(1);
  });

  it('are left untouched when another subvolume has replaced them', async () => {
    const foreign = () => sh('btrfs', 'subvolume', 'create', at('new'));
    await rolledBack(async (tx) => {
      await tx.step(createSubvolume, { path: at('new') });
      sh('mv', at('new'), at('aside'));
      foreign();
    });

    expect(names()).toEqual(['home', 'new']);
  });

  it.each([
    ['created', (tx: Steps) => tx.step(createSubvolume, { path: at('dir/new') })],
    ['snapshots', (tx: Steps) => tx.step(snapshot, { source: at('home'), path: at('dir/new'), mode: 'ro' })],
    ['removed', (tx: Steps) => tx.step(removeSubvolume, { path: at('dir/old') })],
  ] as const)('are undone in a directory that others have renamed: %s', async (_, act) => {
    mkdirSync(at('dir'));
    sh('btrfs', 'subvolume', 'create', at('dir/old'));
    const own = engine();
    const failure: unknown = await sequence(own, async (tx) => {
      await act(tx);
      sh('mv', at('dir'), at('moved'));
      throw new Error('later');
    }).catch((error: unknown) => error);
    if (failure instanceof StuckError) await recover(failure.id ?? '', { engine: own, yes: true });
    expect(readdirSync(at('moved'))).toEqual(['old']);
  });

  it('in a directory that others have renamed leave no record after the commit', async () => {
    mkdirSync(at('dir'));
    await sequence(engine(), async (tx) => {
      await tx.step(createSubvolume, { path: at('dir/new') });
      sh('mv', at('dir'), at('moved'));
    });
    expect(readdirSync(at('moved'))).toEqual(['new']);
  });

  it('cannot be undone while another subvolume is inside', async () => {
    const own = engine();
    const failure: unknown = await sequence(own, async (tx) => {
      await tx.step(createSubvolume, { path: at('new') });
      sh('btrfs', 'subvolume', 'create', at('new/foreign'));
      throw new Error('later');
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StuckError);
    expect(existsSync(at('new/foreign'))).toBe(true);

    sh('btrfs', 'subvolume', 'delete', at('new/foreign'));
    const { id = '' } = failure as StuckError;
    await recover(id, { engine: own, yes: true });

    expect(names()).toEqual(['home']);
  });

  it.each(['one with spaces', 'ünï', 'new\nline', `'quoted"`])('may have the name %j', async (name) => {
    await sequence(engine(), (tx) => tx.step(createSubvolume, { path: at(name) }));
    expect((await btrfs.subvolume(host(), at(name))).name.path).toBe(name);
    await sequence(engine(), (tx) => tx.step(removeSubvolume, { path: at(name) }));
    expect(names()).toEqual(['home']);
  });
});

describe('deleting a subvolume of a real btrfs', () => {
  it('happens at the commit, for read-only ones too', async () => {
    sh('btrfs', 'subvolume', 'snapshot', '-r', at('home'), at('snap'));
    await sequence(engine(), async (tx) => {
      await tx.step(removeSubvolume, { path: at('home') });
      await tx.step(removeSubvolume, { path: at('snap') });
    });
    expect(names()).toEqual([]);
    expect(await btrfs.subvolumes(host(), root)).toEqual([]);
  });

  it('has an undo that restores the same subvolume', async () => {
    sh('btrfs', 'subvolume', 'snapshot', '-r', at('home'), at('snap'));
    const before = [await uuidOf('home'), await uuidOf('snap')];
    await rolledBack(async (tx) => {
      await tx.step(removeSubvolume, { path: at('home') });
      await tx.step(removeSubvolume, { path: at('snap') });
      await tx.step(createSubvolume, { path: at('home') });
    });
    expect([await uuidOf('home'), await uuidOf('snap')]).toEqual(before);
    expect(names()).toEqual(['home', 'snap']);
  });

  it('is refused while it is mounted elsewhere, contains another one, or is the default', async () => {
    const attempt = () => sequence(engine(), (tx) => tx.step(removeSubvolume, { path: at('home') }));
    const other = disk.makeDir('other');
    sh('mount', '-o', 'subvol=home', device, other);
    await expect(attempt()).rejects.toThrow(/mounted on .*other/);
    sh('umount', other);
    sh('btrfs', 'subvolume', 'create', at('home/inner'));
    await expect(attempt()).rejects.toThrow(/home\/inner \(id \d+\) is in it/);
    sh('btrfs', 'subvolume', 'delete', at('home/inner'));
    await sequence(engine(), (tx) => tx.step(setDefaultSubvolume, { path: at('home') }));
    await expect(attempt()).rejects.toThrow(/is the default/);
    await expect(sequence(engine(), (tx) => tx.step(removeSubvolume, { path: root }))).rejects.toThrow(
      /top level/,
    );
    expect(names()).toEqual(['home']);
  });

  it('works through any mount of the filesystem', async () => {
    const other = disk.makeDir('other');
    sh('btrfs', 'subvolume', 'create', at('home/inner'));
    sh('mount', '-o', 'subvol=home', device, other);
    sh('umount', root);
    await sequence(engine(), (tx) => tx.step(removeSubvolume, { path: join(other, 'inner') }));
    expect(readdirSync(other)).toEqual(['file']);
  });
});

describe('properties of a real btrfs', () => {
  it('are set, and restored by the undo', async () => {
    await rolledBack(async (tx) => {
      await tx.step(setProperty, { path: at('home'), mode: 'ro' });
      expect((await btrfs.subvolume(host(), at('home'))).mode).toBe('ro');
      await tx.step(setDefaultSubvolume, { path: at('home') });
      expect(await btrfs.defaultSubvolume(host(), root)).not.toBe(5);
    });
    expect((await btrfs.subvolume(host(), at('home'))).mode).toBe('rw');
    expect(await btrfs.defaultSubvolume(host(), root)).toBe(5);
  });

  it('leave a received subvolume read-only', async () => {
    sh('btrfs', 'subvolume', 'snapshot', '-r', at('home'), at('sent'));
    mkdirSync(at('in'));
    sh('btrfs', 'send', '-q', '-f', disk.path('stream'), at('sent'));
    sh('btrfs', 'receive', '-q', '-f', disk.path('stream'), at('in'));
    await expect(
      sequence(engine(), (tx) => tx.step(setProperty, { path: at('in/sent'), mode: 'rw' })),
    ).rejects.toThrow(RefusedError);
    expect((await btrfs.subvolume(host(), at('in/sent'))).receivedUuid).toBe(await uuidOf('sent'));
  });
});

describe('reading a real btrfs', () => {
  it('lists every subvolume, whatever its name', async () => {
    const odd = [
      'a b',
      'new\nline',
      'x\nID 900 gen 7 parent 5 top level 5 parent_uuid - received_uuid - uuid - path y',
    ];
    for (const name of odd) sh('btrfs', 'subvolume', 'create', at(name));
    sh('bash', '-c', `btrfs subvolume create "$1/bad"$'\\xff'`, 'bash', root);
    const found = await btrfs.subvolumes(host(), root);
    expect(found.map(({ path }) => path)).toEqual(['home', ...odd, undefined]);
    expect(found.at(-1)?.shown).toBe('bad\ufffd');
  });

  it('reports the space and the quota groups', async () => {
    const { size, missing, spaces } = await btrfs.usage(host(), root);
    expect([size, missing]).toEqual([128 * 1024 ** 2, 0]);
    expect(spaces.map(({ kind }) => kind).sort()).toEqual(['Data', 'Metadata', 'System']);
    sh('btrfs', 'quota', 'enable', root);
    expect((await btrfs.qgroups(host(), root)).map(({ id }) => id)).toEqual(['0/5', '0/256']);
  });
});
