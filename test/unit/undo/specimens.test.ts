import { describe, expect, it } from 'vitest';
import { decode } from '../../../src/atomic/journal/lines.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rows } from '../../support/undo/matrix.ts';
import { run } from '../../../src/simulator/matrix/trial.ts';
import { notOnRig } from '../../support/matrix/operations.ts';
import type { Specimen } from '../../support/undo/specimens.ts';
import { rigRows } from '../../support/matrix/operation-trials.ts';

/** The kinds of the steps in the only journal of the history. */
function journalled(host: SimulatedHost): readonly string[] {
  const { store } = simulatedBofh({ host }).engine;
  const [name = ''] = store.names('history');
  const file = store.open(`history/${name}`);
  const lines = file === undefined ? [] : decode(file.read(), name).lines;
  file?.close();
  return lines.flatMap((line) => (line.t === 'intent' ? [line.kind] : []));
}

describe('the specimens of the matrix', async () => {
  for (const { kind, subjects } of await rows())
    for (const subject of subjects)
      it(`${kind} ${subject.specimen.title ?? ''}: tries just that kind, and changes the host`, async () => {
        const staged = subject.start();
        const before = staged.host.snapshot();

        const ending = await withoutWaiting(() => run(staged, { ends: 'well' }));

        expect(ending).toEqual({ how: 'done' });
        const { before: older = [], after: newer = [] } = subject.specimen as Specimen;
        expect(journalled(staged.host)).toEqual([...older, kind, ...newer]);
        expect(staged.host.snapshot()).not.toBe(before);
      });

  it('are the same operations on the rig, except those that it cannot run', async () => {
    const here = (await rows())
      .filter(({ method }) => !(method in notOnRig))
      .map(({ kind }) => kind)
      .sort();
    const onRig = (await rigRows()).map(({ kind }) => kind).sort();

    expect(onRig).toEqual(here);
  });
});
