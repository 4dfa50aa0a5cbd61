import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allOperations } from '../../../../src/operations.ts';
import { rows } from '../../../support/undo/matrix.ts';
import { specimens } from '../../../support/undo/specimens.ts';

describe('the matrix of operations and faults', () => {
  it('has a row for each kind of the registry, and no other', async () => {
    const kinds = (await allOperations()).map(({ kind }) => kind);

    expect((await rows()).map(({ kind }) => kind).sort()).toEqual([...new Set(kinds)].sort());
  });

  it('has a file of tests for each driver', () => {
    const files = readdirSync(new URL('.', import.meta.url));

    expect(files).toEqual(
      expect.arrayContaining(Object.keys(specimens).map((driver) => `${driver}.test.ts`)),
    );
  });
});
