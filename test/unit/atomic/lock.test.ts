import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockTable } from '../../../src/atomic/lock.ts';
import { JournalError } from '../../../src/errors.ts';
import { hostProcesses } from '../../../src/atomic/processes.ts';
import { localHost } from '../../../src/host/local.ts';

function place() {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-lock-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, table: lockTable(join(directory, 'locks'), localHost()) };
}

test('what one sequence makes or changes another cannot have, and the key is told', async () => {
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

test('a refused sequence keeps what it had and nothing more', async () => {
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

test('a lock that cannot be made is an error, and those before it are given back', async () => {
  const { directory, table } = place();
  const locks = table.open();
  mkdirSync(join(directory, 'locks', 'b'), { recursive: true });
  const before = readdirSync('/proc/self/fd').length;

  await expect(locks.take({ changes: ['a', 'b'] })).rejects.toThrow(/lock .*\/b cannot be made/);

  expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  expect(await table.open().take({ changes: ['a'] })).toBeUndefined();
});

test('steps side by side that share an object open its lock once, and release frees it', async () => {
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

test('a key of any length and with any letters is one file of the directory', async () => {
  const { directory, table } = place();
  const locks = table.open();

  await locks.take({ makes: [`file:/../${'x'.repeat(300)}`, 'dom:..', 'dom:a b'] });

  const names = readdirSync(join(directory, 'locks'));
  expect(names).toHaveLength(3);
  expect(names.every((name) => name.length <= 255 && !name.startsWith('.'))).toBe(true);
  locks.release();
});

test('this process is alive as an owner only while it has the journal open', async () => {
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

test('a place where no lock can be made is told, with what was tried', async () => {
  const { directory } = place();
  writeFileSync(join(directory, 'file'), '');
  const below = lockTable(join(directory, 'file', 'locks'), localHost()).open();
  mkdirSync(join(directory, 'locks', encodeURIComponent('lv:vg/a')), { recursive: true });
  const taken = lockTable(join(directory, 'locks'), localHost()).open();

  await expect(below.take({ makes: ['lv:vg/a'] })).rejects.toThrow(JournalError);
  await expect(taken.take({ makes: ['lv:vg/a'] })).rejects.toThrow(
    /the lock .*lv%3Avg%2Fa cannot be made: EISDIR/,
  );
});
