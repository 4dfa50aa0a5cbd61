import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { allOperations } from '../../../src/operations.ts';
import { faultNames } from '../../support/undo/fault-names.ts';
import { type Counts, fill, rows } from '../../support/undo/matrix.ts';

const all = await rows();
const filled: Counts[] = [];

describe('every operation × every fault, on the simulated host', { timeout: 120_000 }, () => {
  it('has a row for each kind of the registry, and no other', async () => {
    const kinds = (await allOperations()).map(({ kind }) => kind);

    expect(all.map(({ kind }) => kind).sort()).toEqual([...new Set(kinds)].sort());
  });

  for (const row of all)
    describe(row.kind, () => {
      for (const fault of faultNames)
        it(`${fault}: the host is as before, as after, or stuck, named and recovered`, async () => {
          const counts = await fill(row, fault);
          filled.push(counts);

          expect(counts.neither.slice(0, 5)).toEqual([]);
        });
    });

  // The table of docs/reliability.md is made of it: npm run test:matrix -- --report
  afterAll(() => {
    if (filled.length < all.length * faultNames.length) return;
    const cache = fileURLToPath(new URL('../../../.cache/', import.meta.url));
    mkdirSync(cache, { recursive: true });
    const of = { date: new Date().toISOString().slice(0, 10), node: process.version, counts: filled };
    writeFileSync(`${cache}undo-matrix.json`, `${JSON.stringify(of, undefined, 1)}\n`);
  });
});
