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

/** Syncs the writes of older steps to the devices of a step, before that step ends access to them. */
export async function syncOlder(engine: Engine, journal: Journal, step: Step): Promise<void> {
  for (const older of conflictsOf(journal.state, step))
    if (older.n < step.n && older.intent.kind !== 'bare')
      await unlessOutOfReach(engine, journal, { step: older, work: () => syncStep(engine, journal, older) });
}

/** Runs the work on a step. Undefined if the sequence itself made its device inaccessible. */
export async function unlessOutOfReach<T>(
  engine: Engine,
  journal: Pick<Journal, 'id' | 'state'>,
  { step, work }: { readonly step: Step; readonly work: () => Promise<T> },
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const isRefusal = error instanceof RefusedError || error instanceof CommandError;
    if (isRefusal && (await isOutOfReach(engine, journal, step))) return undefined;
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
