import { describe, expect, it } from 'vitest';
import { operation } from '../../src/index.ts';
import { matrixFaults, operationMatrix, type SimulatedHost } from '../../src/simulator/index.ts';
import { record, records, recordSpec } from '../support/undo/record.ts';

const stage = (host: SimulatedHost): { readonly name: string } => {
  host.admin.mkdir(records);
  return { name: 'a' };
};

/** Every wrong trial of an operation, as one text. */
async function wrongOf(op: typeof record, ...faults: Parameters<typeof operationMatrix>[2] & object) {
  const counts = await operationMatrix(op, { stage }, faults);
  return Object.values(counts)
    .flatMap(({ wrong }) => wrong)
    .join('\n');
}

describe('operationMatrix', () => {
  it('tests every fault on an operation of your own, and finds no problem in a correct one', async () => {
    const counts = await operationMatrix(record, { stage });

    expect(Object.keys(counts)).toEqual(matrixFaults);
    expect(Object.values(counts).flatMap(({ wrong }) => wrong)).toEqual([]);
    for (const { trials, before, after } of Object.values(counts)) expect(before + after).toBe(trials);
    // The operation runs no program, so none can hang, be killed or do nothing.
    expect(matrixFaults.filter((fault) => counts[fault]?.trials === 0)).toEqual([
      'acts and is killed',
      'hangs',
      'exits 0 but did nothing',
      'answers garbage',
    ]);
  });

  it('names the access and the leftovers of an operation whose undo does nothing', async () => {
    const broken = operation({ ...recordSpec, revert: () => Promise.resolve() });

    expect(await wrongOf(broken, 'SIGKILL')).toMatch(/file create.*acts then crash, restart/);
  });

  it('finds an operation that leaves a second file behind', async () => {
    const run: typeof recordSpec.run = async (input) => {
      await input.host.writeNew(`${input.undo.path}.bak`, '', { mode: 0o600 });
      return recordSpec.run(input);
    };

    const wrong = await wrongOf(operation({ ...recordSpec, run }), 'acts, then fails');
    expect(wrong).toContain(`"${records}/a.bak"`);
  });

  it('finds an operation that reports completion before it is durable', async () => {
    const broken = operation({ ...recordSpec, sync: () => Promise.resolve() });

    expect(await wrongOf(broken, 'power cut')).toContain(`durable vda "${records}/a"`);
  });

  it('throws the error of an operation that fails without a fault', async () => {
    await expect(operationMatrix(record, { stage: () => ({ name: 'a' }) })).rejects.toThrow();
  });
});
