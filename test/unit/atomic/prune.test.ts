import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encode, type Line } from '../../../src/atomic/journal/lines.ts';
import { limitHistory, limitKept, removeClosed, surplus } from '../../../src/atomic/journal/prune.ts';
import { diskStore, type Store } from '../../../src/atomic/journal/store.ts';

let directory = '';
let store: Store;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bofh-prune-'));
  mkdirSync(join(directory, 'history'), { mode: 0o700 });
  store = diskStore(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A closed journal, so many days old. */
function lay(id: string, days: number): void {
  const path = join(directory, 'history', `${id}.journal`);
  writeFileSync(path, 'x');
  const at = Date.now() / 1000 - days * 86_400;
  utimesSync(path, at, at);
}

const kept = () => readdirSync(join(directory, 'history')).map((name) => name.replace('.journal', ''));

describe('the history', () => {
  it('is too large if a journal is too old, or there are too many; the oldest are named first', () => {
    for (const [id, days] of [
      ['new', 1],
      ['old', 401],
      ['older', 500],
      ['week', 7],
    ] as const)
      lay(id, days);

    expect(surplus(store, { days: 400, newest: 0, count: 5000 })).toEqual(['older', 'old']);
    expect(surplus(store, { days: 1000, newest: 0, count: 3 })).toEqual(['older']);
    expect(surplus(store, { days: 400, newest: 0, count: 1 })).toEqual(['older', 'old', 'week']);
    expect(surplus(store, { days: 400, newest: 0, count: 0 })).toHaveLength(4);
  });

  it('keeps the given number of newest journals whatever their age, unless fewer are allowed', () => {
    for (const [id, days] of [
      ['old', 500],
      ['older', 600],
      ['oldest', 700],
    ] as const)
      lay(id, days);

    expect(surplus(store, { days: 400, newest: 2, count: 5000 })).toEqual(['oldest']);
    expect(surplus(store, { days: 400, newest: 100, count: 5000 })).toEqual([]);
    expect(surplus(store, { days: 400, newest: 100, count: 1 })).toEqual(['oldest', 'older']);
  });

  it('keeps the journal of a sequence that is being undone, with its copies', () => {
    for (const id of ['aa', 'bb']) lay(id, 500);
    const begin = { t: 'begin', format: 1, id: 'dd', undoes: 'aa' } as unknown as Line;
    writeFileSync(join(directory, 'dd.journal'), encode([begin], 0).bytes);

    expect(surplus(store, { days: 400, newest: 0, count: 0 })).toEqual(['bb']);
  });

  it('loses a journal with the files beside it, and nothing else', () => {
    for (const id of ['aa', 'aab']) lay(id, 1);
    mkdirSync(join(directory, 'history', 'aa.d'));
    writeFileSync(join(directory, 'history', 'aa.d', 'old-content'), 'x');

    removeClosed(store, ['aa']);

    expect(kept()).toEqual(['aab']);
  });

  it('loses files that commits removed with the journal, or the oldest ones above the limit', () => {
    for (const [id, days] of [
      ['aa', 1],
      ['bb', 3],
      ['cc', 2],
    ] as const) {
      lay(id, days);
      mkdirSync(join(directory, 'history', `${id}.kept`));
      writeFileSync(join(directory, 'history', `${id}.kept`, '1'), 'x'.repeat(100));
    }
    const all = ['aa', 'aa.kept', 'bb', 'bb.kept', 'cc', 'cc.kept'];

    limitKept(store, 300);
    expect(kept()).toEqual(all);
    // What an undo needs that runs now is left out.
    const undo = join(directory, 'dd.journal');
    writeFileSync(
      undo,
      encode([{ t: 'begin', format: 1, id: 'dd', undoes: 'bb' } as unknown as Line], 0).bytes,
    );
    limitKept(store, 299);
    expect(kept()).toEqual(all.filter((name) => name !== 'cc.kept'));
    mkdirSync(join(directory, 'history', 'cc.kept'));
    writeFileSync(join(directory, 'history', 'cc.kept', '1'), 'x'.repeat(100));
    rmSync(undo);
    limitKept(store, 299);
    expect(kept()).toEqual(all.filter((name) => name !== 'bb.kept'));
    removeClosed(store, ['cc']);
    expect(kept()).toEqual(['aa', 'aa.kept', 'bb']);
  });

  it('is pruned from time to time', () => {
    for (let n = 0; n < 150; n += 1) lay(`young${String(n)}`, 1);
    for (let n = 0; n < 20; n += 1) lay(`old${String(n)}`, 500);

    limitHistory(store, 'f00');
    expect(kept()).toHaveLength(170);

    limitHistory(store, '0ff');
    expect(kept()).toHaveLength(150);
  });

  it('keeps the newest whatever their age when the clock jumps years ahead', () => {
    for (let n = 0; n < 120; n += 1) lay(`old${String(n).padStart(3, '0')}`, 1000 + n);

    limitHistory(store, '0');

    expect(kept()).toHaveLength(100);
    expect(kept().at(-1)).toBe('old099');
  });
});
