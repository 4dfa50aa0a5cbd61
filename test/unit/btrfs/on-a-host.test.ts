import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { subvolume } from '../../../src/btrfs/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const at = (name: string): string => `/srv/pool/${name}`;
const starting = ['home', 'one with spaces', 'snapshots', 'web10'];

function withPool(): SimulatedHost {
  const made = simulatedHost();
  pool(made);
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = withPool();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('subvolumes', body));
const names = (on = host): Promise<readonly string[]> => on.readDir('/srv/pool');

const create = (tx: Tx, name: string) => tx.btrfs.createSubvolume({ path: at(name) });
const snapshot = (tx: Tx, source: string, name: string) =>
  tx.btrfs.snapshot({ source: at(source), path: at(name), mode: 'ro' });
const remove = (tx: Tx, name: string) => tx.btrfs.removeSubvolume({ path: at(name) });

/** What a sequence may do with subvolumes, each to its end; what it leaves when it ends well. */
const bodies: readonly (readonly [string, readonly string[], (tx: Tx) => Promise<unknown>])[] = [
  [
    'one in another, and a snapshot of it in the first',
    [...starting, 'a'],
    async (tx) => {
      await create(tx, 'a');
      await create(tx, 'a/b');
      await snapshot(tx, 'a/b', 'a/c');
    },
  ],
  [
    'one that is made and deleted',
    starting,
    async (tx) => {
      await create(tx, 'a');
      await remove(tx, 'a');
    },
  ],
  [
    'one that is deleted, and another under its name',
    starting,
    async (tx) => {
      await remove(tx, 'web10');
      await create(tx, 'web10');
      await tx.btrfs.setProperty({ path: at('web10'), mode: 'ro' });
    },
  ],
  [
    'one that is replaced by a writable snapshot of it, which becomes the default',
    starting,
    async (tx) => {
      await snapshot(tx, 'web10', 'kept');
      await remove(tx, 'web10');
      await tx.btrfs.snapshot({ source: at('kept'), path: at('web10'), mode: 'rw' });
      await tx.btrfs.setDefaultSubvolume({ path: at('web10') });
      await remove(tx, 'kept');
    },
  ],
];

describe.each(bodies)('%s', (_title, left, body) => {
  test('completes, and leaves nothing of bofh behind', async () => {
    await does(body);
    expect(await names()).toEqual([...left].sort());
    expect(await openJournals(bofhOn(host).engine)).toEqual([]);
  });

  test('is undone when the sequence fails afterwards', async () => {
    await expectUndone(host, () => does(async (tx) => [await body(tx), await failNow()]));
  });

  test('is undone or completed by recovery after a kill at any point', async () => {
    await expectRecovery({ start: withPool, work: (on) => does(body, on) });
  });
});

describe('concurrent changes', () => {
  test('a name that was taken first stays', async () => {
    host.admin.mkdir(at('a'));
    await expect(does((tx) => create(tx, 'a'))).rejects.toThrow(/exists already/);
    expect(await names()).toEqual([...starting, 'a'].sort());
  });

  test('a subvolume that replaced ours stays, and ours is undone at its new path', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await create(tx, 'a');
        host.admin.rename(at('a'), at('aside'));
        host.admin.btrfs('subvolume', 'create', at('a'));
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await names()).toEqual([...starting, 'a'].sort());
  });

  test('a subvolume inside ours makes the undo stuck until it is removed', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await create(tx, 'a');
        host.admin.btrfs('subvolume', 'create', at('a/theirs'));
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(String((error as StuckError).blocked[0]?.why)).toContain('theirs');
    host.admin.rename(at('a/theirs'), at('theirs'));

    await recoverAll(host);

    expect(await names()).toEqual([...starting, 'theirs'].sort());
  });

  test('a subvolume that takes the name of a deleted one makes the undo stuck, and both stay', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx, 'web10');
        host.admin.mkdir(at('web10'));
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(await names()).toContain('web10');
    expect((await names()).filter((name) => name.startsWith('.bofh-gone-'))).toHaveLength(1);
  });

  test('a subvolume that was moved before its deletion is not deleted', async () => {
    await does(async (tx) => {
      await remove(tx, 'web10');
      const gone = (await names()).find((name) => name.startsWith('.bofh-gone-')) ?? '';
      host.admin.rename(at(gone), at('rescued'));
    });
    expect(await names()).toContain('rescued');
  });

  test('a default that was changed meanwhile stays', async () => {
    await failureOf(
      does(async (tx) => {
        await tx.btrfs.setDefaultSubvolume({ path: at('home') });
        host.admin.btrfs('subvolume', 'set-default', '257', '/srv/pool');
        await failNow();
      }),
    );
    expect(host.snapshot()).toContain('default "/web10"');
  });

  test('a default that is gone cannot be restored: another one is set with btrfs', async () => {
    const { id } = await subvolume(host, at('web10'));
    host.admin.btrfs('subvolume', 'set-default', String(id), '/srv/pool');
    const error = await failureOf(
      does(async (tx) => {
        await tx.btrfs.setDefaultSubvolume({ path: at('home') });
        host.admin.btrfs('subvolume', 'delete', '--commit-each', '--subvolid', String(id), '/srv/pool');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).blocked[0]?.remedy).toBe(
      'set another default: btrfs subvolume set-default ID /srv/pool; then: bofh recover',
    );
  });
});

describe('is refused before anything changes', () => {
  test.each<readonly [string, (tx: Tx) => Promise<unknown>, RegExp]>([
    ['a path on another filesystem', (tx) => tx.btrfs.createSubvolume({ path: '/srv/new' }), /not on btrfs/],
    ['a directory that is missing', (tx) => create(tx, 'none/new'), /no such directory/],
    ['one of our own names', (tx) => create(tx, '.bofh-x'), /reserved for bofh/],
    ['a relative path', (tx) => tx.btrfs.createSubvolume({ path: 'new' }), /absolute path/],
    ['a snapshot of a plain directory', (tx) => snapshot(tx, 'snapshots', 'new'), /not a subvolume/],
    [
      'a snapshot of another subvolume than meant',
      (tx) =>
        tx.btrfs.snapshot({
          source: at('home'),
          path: at('new'),
          mode: 'ro',
          uuid: '0c0ffee0-0000-4000-8000-000000000001',
        }),
      /another subvolume is at/,
    ],
    [
      'a snapshot onto another filesystem',
      (tx) => tx.btrfs.snapshot({ source: at('home'), path: '/srv/new', mode: 'ro' }),
      /not on btrfs/,
    ],
    ['deleting one with others in it', (tx) => remove(tx, 'home'), /is in it/],
    ['deleting the top level', (tx) => tx.btrfs.removeSubvolume({ path: '/srv/pool' }), /top level/],
    ['a mode that it has', (tx) => tx.btrfs.setProperty({ path: at('home'), mode: 'rw' }), /rw already/],
    ['the default that it is', (tx) => tx.btrfs.setDefaultSubvolume({ path: '/srv/pool' }), /already/],
  ])('%s', async (_what, body, words) => {
    const before = host.snapshot();
    const error = await failureOf(does(body));
    expect(String(error)).toMatch(words);
    expect(error).not.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('deleting a mounted one, by any path', async () => {
    const [mount] = host.world.mounts.filter(({ path }) => path === '/srv/pool');
    if (mount === undefined) throw new Error('the pool is not mounted');
    const options = 'rw,subvolid=257,subvol=/web10';
    host.world.mounts = [
      ...host.world.mounts,
      { ...mount, id: 99, root: '/web10', path: '/mnt', superOptions: options },
    ];

    const error = await failureOf(does((tx) => remove(tx, 'web10')));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('mounted on /mnt');
  });
});
