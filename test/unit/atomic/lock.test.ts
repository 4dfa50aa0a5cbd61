import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Engine } from '../../../src/atomic/engine.ts';
import { type LockTable, lockTable } from '../../../src/atomic/locks/lock.ts';
import { hostProcesses } from '../../../src/atomic/locks/processes.ts';
import { AtomicOperationSequence } from '../../../src/atomic/sequence/sequence.ts';
import type { Steps } from '../../../src/atomic/sequence/steps.ts';
import { JournalError } from '../../../src/core/errors.ts';
import { create } from '../../../src/file/index.ts';
import { localHost } from '../../../src/host/local.ts';
import { furnish, realEngine } from '../../support/crash/real/engine.ts';

function place() {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-lock-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, table: lockTable([join(directory, 'locks')], localHost()) };
}

test('refuses an object that another sequence creates or changes, and names the key', async () => {
  const { table } = place();
  const [first, second] = [table.open(), table.open()];

  expect(await first.take({ makes: ['lv:vg/a'], needs: ['vg:vg'] })).toBeUndefined();
  expect(await second.take({ needs: ['vg:vg', 'lv:vg/a'] })).toBe('lv:vg/a');
  expect(await second.take({ changes: ['vg:vg'] })).toBe('vg:vg');
  expect(await second.take({ needs: ['vg:vg'] })).toBeUndefined();
  first.release();
  expect(await second.take({ changes: ['vg:vg', 'lv:vg/a'] })).toBeUndefined();
  second.release();
});

test('a refused sequence keeps its older locks and gets no new ones', async () => {
  const { table } = place();
  const [first, second, third] = [table.open(), table.open(), table.open()];
  await first.take({ changes: ['b'] });
  await second.take({ needs: ['a'] });

  expect(await second.take({ changes: ['a', 'b', 'c'] })).toBe('b');

  expect(await third.take({ needs: ['a'] })).toBeUndefined();
  expect(await third.take({ changes: ['c'] })).toBeUndefined();
  expect(await third.take({ changes: ['a'] })).toBe('a');
  for (const locks of [first, second, third]) locks.release();
});

test('a lock that cannot be created is an error, and the locks before it are released', async () => {
  const { directory, table } = place();
  const locks = table.open();
  mkdirSync(join(directory, 'locks', 'b'), { recursive: true });
  const before = readdirSync('/proc/self/fd').length;

  await expect(locks.take({ changes: ['a', 'b'] })).rejects.toThrow(/lock .*\/b cannot be created/);

  expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  expect(await table.open().take({ changes: ['a'] })).toBeUndefined();
});

test('parallel steps that share an object open its lock once, and release frees it', async () => {
  const { directory, table } = place();
  const locks = table.open();

  const taken = await Promise.all([1, 2, 3].map(() => locks.take({ needs: ['vg:vg'] })));
  const { dev, ino } = statSync(join(directory, 'locks', 'vg%3Avg'), { bigint: true });
  const open = openBy(`${dev}:${ino}`);
  locks.release();

  expect(taken).toEqual([undefined, undefined, undefined]);
  expect(open).toBe(1);
  expect(openBy(`${dev}:${ino}`)).toBe(0);
});

test('notices that the file of a held lock was removed', async () => {
  const { directory, table } = place();
  const [first, second] = [table.open(), table.open()];
  await first.take({ changes: ['a'], needs: ['b'] });
  for (const name of ['a', 'b']) rmSync(join(directory, 'locks', name));

  expect(await second.take({ changes: ['a'] })).toBeUndefined();
  expect(await first.take({ changes: ['a'] })).toBe('a');
  expect(await first.take({ changes: ['b'] })).toBeUndefined();
  expect(await second.take({ needs: ['b'] })).toBe('b');
  first.release();
  expect(await second.take({ needs: ['b'] })).toBeUndefined();
  second.release();
});

test('does not use a lock file that loses its name before it is locked', async () => {
  const { directory } = place();
  const path = join(directory, 'locks', 'a');
  const host = localHost();
  let removals = 2;
  const late = lockTable([join(directory, 'locks')], {
    flock: async (wanted) => {
      if ((removals -= 1) >= 0) rmSync(path);
      return await host.flock(wanted);
    },
  }).open();
  const other = lockTable([join(directory, 'locks')], host).open();

  expect(await late.take({ makes: ['a'] })).toBeUndefined();
  expect(await other.take({ makes: ['a'] })).toBe('a');
  late.release();
});

test('removes the lock file at release, while a concurrent locker still gets the lock alone', async () => {
  const { directory, table } = place();
  let [inside, most, rounds] = [0, 0, 0];

  await Promise.all(
    [1, 2, 3, 4].map(async () => {
      for (let n = 0; n < 5; ) {
        const locks = table.open();
        if ((await locks.take({ changes: ['a'], needs: ['b'] })) !== undefined) continue;
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        [n, rounds] = [n + 1, rounds + 1];
        locks.release();
      }
    }),
  );

  expect([most, rounds]).toEqual([1, 20]);
  expect(readdirSync(join(directory, 'locks'))).toEqual(['b']);
});

test('a sweep removes the files of unheld locks only', async () => {
  const { directory, table } = place();
  const [first, second] = [table.open(), table.open()];
  await first.take({ needs: ['a', 'b'] });
  await second.take({ needs: ['b'] });
  first.release();

  await table.sweep?.();

  expect(readdirSync(join(directory, 'locks'))).toEqual(['b']);
  expect(await first.take({ changes: ['b'] })).toBe('b');
  second.release();
});

test('locks in each of several directories', async () => {
  const { directory } = place();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(directory, name)) as [string, string, string];
  const host = localHost();
  const first = lockTable([a, b], host).open();
  await first.take({ changes: ['lv:vg/x'] });

  for (const both of [[a, c], [c, b], [a], [b]])
    expect(
      await lockTable(both, host)
        .open()
        .take({ needs: ['lv:vg/x'] }),
    ).toBe('lv:vg/x');
  expect(
    await lockTable([c], host)
      .open()
      .take({ needs: ['lv:vg/x'] }),
  ).toBeUndefined();
  first.release();
});

test('a key of any length and with any characters is one file of the directory', async () => {
  const { directory, table } = place();
  const locks = table.open();

  await locks.take({ makes: [`file:/../${'x'.repeat(300)}`, 'dom:..', 'dom:a b'] });

  const names = readdirSync(join(directory, 'locks'));
  expect(names).toHaveLength(3);
  expect(names.every((name) => name.length <= 255 && !name.startsWith('.'))).toBe(true);
  locks.release();
});

test('this process counts as the owner only while it has the journal open', async () => {
  const { directory, table } = place();
  const processes = hostProcesses();
  const owner = { ...processes.self, user: 'root', bofh: '0' };
  const locks = table.open();
  await locks.take({ makes: ['a'] });
  const { dev, ino } = statSync(join(directory, 'locks', 'a'), { bigint: true });
  const inode = `${dev}:${ino}`;

  const open = [
    processes.alive(owner, inode),
    processes.alive({ ...owner, started: owner.started + 1 }, inode),
    processes.alive({ ...owner, boot: 'another' }, inode),
  ];
  locks.release();

  expect(open).toEqual([true, false, false]);
  expect(processes.alive(owner, inode)).toBe(false);
});

/** Descriptors of this process on a file. */
function openBy(inode: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    const stat = statSync(`/proc/self/fd/${fd}`, { bigint: true, throwIfNoEntry: false });
    return stat !== undefined && `${stat.dev}:${stat.ino}` === inode;
  }).length;
}

test('reports a place where no lock can be created, and which places it tried', async () => {
  const { directory } = place();
  writeFileSync(join(directory, 'file'), '');
  const below = lockTable([join(directory, 'file', 'locks')], localHost()).open();
  mkdirSync(join(directory, 'locks', encodeURIComponent('lv:vg/a')), { recursive: true });
  const taken = lockTable([join(directory, 'locks')], localHost()).open();

  await expect(below.take({ makes: ['lv:vg/a'] })).rejects.toThrow(JournalError);
  await expect(taken.take({ makes: ['lv:vg/a'] })).rejects.toThrow(
    /the lock .*lv%3Avg%2Fa cannot be created: EISDIR/,
  );
});

test.each(['an operation', 'a pair'])(
  '%s whose lock file is removed before its intent is on disk does nothing, and another sequence may start',
  async (which) => {
    const directory = mkdtempSync(join(tmpdir(), 'bofh-lock-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    furnish(directory);
    const path = join(directory, 'data/new');
    const engine = realEngine(directory);
    const removing: LockTable = {
      open: () => {
        const locks = engine.locks.open();
        return {
          ...locks,
          take: async (claims) => {
            const key = await locks.take(claims);
            rmSync(join(directory, 'locks'), { recursive: true });
            return key;
          },
        };
      },
    };
    const body = async (tx: Steps): Promise<unknown> =>
      which === 'a pair'
        ? tx.effect(
            'a pair',
            () => writeFileSync(path, ''),
            () => rmSync(path, { force: true }),
            { claims: { makes: [`file:${path}`] } },
          )
        : tx.step(create, { path, content: '', mode: 0o600 });
    const run = (of: Engine): Promise<unknown> =>
      new AtomicOperationSequence({ name: 'one', engine: of }).run(body);

    await expect(run({ ...engine, locks: removing })).rejects.toThrow(
      /the lock file of .*data\/new was removed while this sequence held the lock/,
    );
    expect(existsSync(path)).toBe(false);
    await run(engine);
    expect(existsSync(path)).toBe(true);
  },
);
