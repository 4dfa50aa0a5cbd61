import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { countedIn } from '../../support/matrix/operation-trials.ts';
import { readLog } from '../../support/rig/volatile.ts';

const sector = 512;
const dir = mkdtempSync(join(tmpdir(), 'bofh-log-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** A log of writes as QEMU's blklogwrites makes it. */
function logOf(
  ...entries: readonly { readonly at?: number; readonly flags?: number; readonly data?: string }[]
): string {
  const head = Buffer.alloc(sector);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeBigUInt64LE(BigInt(entries.length), 16);
  head.writeUInt32LE(sector, 24);
  const parts = entries.flatMap(({ at = 0, flags = 0, data }) => {
    const entry = Buffer.alloc(sector);
    entry.writeBigUInt64LE(BigInt(at), 0);
    entry.writeBigUInt64LE(data === undefined ? 0n : 1n, 8);
    entry.writeBigUInt64LE(BigInt(flags), 16);
    return data === undefined ? [entry] : [entry, Buffer.alloc(sector, data)];
  });
  const path = join(dir, 'log');
  writeFileSync(path, Buffer.concat([head, ...parts]));
  return path;
}

describe('a disk with a volatile write cache', () => {
  it('logs writes and flushes, in order', async () => {
    const log = logOf({ at: 4, data: 'a' }, { flags: 1 }, { at: 8, data: 'b' });

    expect(await readLog(log)).toEqual([
      { what: 'write', at: 4 * sector, from: 2 * sector, length: sector },
      { what: 'flush', at: 0, from: 4 * sector, length: 0 },
      { what: 'write', at: 8 * sector, from: 5 * sector, length: sector },
    ]);
  });

  it('has nothing durable before the first flush, when the log has no head', async () => {
    const path = join(dir, 'young');
    writeFileSync(path, Buffer.alloc(3 * sector));

    expect(await readLog(path)).toEqual([]);
  });

  it('refuses anything else as such a log', async () => {
    const path = join(dir, 'other');
    writeFileSync(path, Buffer.alloc(sector, 'x'));

    await expect(readLog(path)).rejects.toThrow('is no log of writes');
    await expect(readLog(logOf({}))).rejects.toThrow('an entry without effect');
  });
});

describe('the sync after an act, in the log of strace', () => {
  it('is counted for its own thread', () => {
    const log =
      '7 fsync(20) = 0\n9 fsync(21) = 0\n9 link("/a", "/b") = 0\n7 fsync(20) = 0\n9 fsync(22) = 0\n';

    expect(countedIn(log, 'link', '/b')).toBe(2);
    expect(() => countedIn(log, 'link', '/c')).toThrow('no fsync follows');
  });
});
