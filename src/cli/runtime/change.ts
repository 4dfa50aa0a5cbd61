import { withBofh } from '../../bofh.ts';
import { type Bofh } from '../../connect.ts';
import { type Answer, give } from '../output/answer.ts';
import { confirm } from './confirm.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** The change that a verb makes. */
export interface Change<T, D> {
  /** The objects that it destroys, which the user confirms first; an empty list needs no confirmation. */
  readonly destroys?: readonly string[];
  /**
   * Runs `act` up to its first step before the question, so that users do not confirm what is then
   * refused. Only for an `act` that changes the host by steps alone, and does not ask for a key.
   */
  readonly checksFirst?: boolean;
  /**
   * Checks again after the confirmation, which may take long: throws RefusedError if the change would destroy
   * other objects than the confirmed ones.
   */
  readonly again?: () => Promise<void>;
  /** The whole change; a dry run runs it on a simulated host. */
  readonly act: () => Promise<T>;
  readonly answer: (made: T, bofh: Bofh) => AnswerWithExit<D> | Promise<AnswerWithExit<D>>;
}

/** An answer, with the exit code of the verb (default: 0). */
type AnswerWithExit<D> = Answer<D> & { readonly exitCode?: number };

/** A change, or a function that ends the verb without one. */
type Found<T, D> = Change<T, D> | (() => number | Promise<number>);

/**
 * Runs a verb that changes a host: checks, then plans or confirms, runs it with a line in the
 * system log, and prints the answer. With `site: 'unused'` it works even if the site file is
 * broken.
 */
export async function change<T, D>(
  runtime: Runtime<D>,
  asked: Change<T, NoInfer<D>> | ((bofh: Bofh) => Promise<Found<T, NoInfer<D>>>),
  {
    site = 'unused',
    root = 'needed',
  }: { readonly site?: 'used' | 'unused'; readonly root?: 'needed' | 'not-needed' } = {},
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site, root });
  const found = typeof asked === 'function' ? await untilInterrupted(runtime, asked(bofh)) : asked;
  if (typeof found === 'function') return await found();
  const { destroys = [], checksFirst, again, act, answer } = found;
  if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, act);
  if (destroys.length > 0) {
    if (checksFirst === true && runtime.settings.consent !== 'given')
      await untilInterrupted(runtime, checkFirstStep(bofh, act));
    await confirm(runtime, destroys);
  }
  if (again !== undefined) await untilInterrupted(runtime, again());
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const given = await answer(made, bofh);
  give(runtime, given);
  return given.exitCode ?? 0;
}

/**
 * Runs all checks before the first step, which cannot start without a journal. Throws what they
 * throw.
 */
async function checkFirstStep(bofh: Bofh, act: () => Promise<unknown>): Promise<void> {
  const checked = new Error('the checks before the first step are done');
  const create = (): never => {
    throw checked;
  };
  const { onEvent: _, ...engine } = bofh.engine;
  const store = { ...engine.store, create };
  await withBofh({ ...bofh, engine: { ...engine, store } }, act).catch((error: unknown) => {
    if (error !== checked) throw error;
  });
}

/** Loads the simulator only for a dry run. `notes` are printed on stderr after it. */
export async function plan(
  runtime: Runtime,
  bofh: Bofh,
  act: () => Promise<unknown>,
  notes: readonly string[] = [],
): Promise<number> {
  const { dryRun } = await import('../plan/plan.ts');
  const exitCode = await dryRun(runtime, bofh, act);
  for (const note of notes) runtime.terminal.line(`bofh: ${note}`);
  return exitCode;
}
