import { CommandError, RefusedError } from '../../core/errors.ts';
import { changing, codeOf, type Engine } from '../engine.ts';
import type { Journal } from '../journal/journal-writer.ts';
import { json } from '../operation.ts';
import { conflictsOf, type Step } from '../journal/state.ts';

/** Syncs the effect of a step to disk. */
export async function syncStep(engine: Engine, journal: Journal, { intent, done }: Step): Promise<void> {
  const code = await codeOf(engine, intent, journal.id);
  if (code.defers(intent.undo)) return;
  const host = changing(engine, journal, intent);
  await code.sync({ undo: intent.undo, result: json(done?.result ?? null), host });
}

/** Before a step ends access to its devices: makes durable what older steps did there. */
export async function syncOlder(engine: Engine, journal: Journal, step: Step): Promise<void> {
  for (const older of conflictsOf(journal.state, step))
    if (older.n < step.n && older.intent.kind !== 'bare')
      await unlessOutOfReach(engine, journal, { step: older, work: () => syncStep(engine, journal, older) });
}

/** Undefined for a step whose device became inaccessible through the sequence itself. */
export async function unlessOutOfReach<T>(
  engine: Engine,
  journal: Pick<Journal, 'id' | 'state'>,
  { step, work }: { readonly step: Step; readonly work: () => Promise<T> },
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const isTold = error instanceof RefusedError || error instanceof CommandError;
    if (isTold && (await isOutOfReach(engine, journal, step))) return undefined;
    throw error;
  }
}

async function isOutOfReach(
  engine: Engine,
  { id, state }: Pick<Journal, 'id' | 'state'>,
  step: Step,
): Promise<boolean> {
  for (const { n, intent, done } of conflictsOf(state, step)) {
    if (n < step.n || done === undefined || intent.kind === 'bare') continue;
    if ((await codeOf(engine, intent, id)).endsAccess) return true;
  }
  return false;
}
