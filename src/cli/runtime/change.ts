import { type Bofh, withBofh } from '../../bofh.ts';
import { type Answer, give } from '../output/answer.ts';
import { confirm } from './confirm.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** What a verb does to a host. */
export interface Change<T> {
  /** What is lost by it, and asked about before; nothing of an empty list. */
  readonly destroys?: readonly string[];
  /** The question may have stood for long: throws RefusedError when what is destroyed is no more what was agreed to. */
  readonly again?: () => Promise<void>;
  /** All of the change: a dry run is one of it. */
  readonly act: () => Promise<T>;
  readonly answer: (made: T, bofh: Bofh) => Told | Promise<Told>;
}

/** `exitCode`: 0, where none is. */
type Told = Answer<unknown> & { readonly exitCode?: number };

/** A change; or there is none to make as others are, and how the verb ends instead. */
type Found<T> = Change<T> | (() => number | Promise<number>);

/**
 * The course of a verb that changes a host: looked at by a function, then planned, or asked about, done with a line in the
 * system log, and answered. With `site: 'unused'` it works also while the site file is broken.
 */
export async function change<T>(
  runtime: Runtime,
  asked: Change<T> | ((bofh: Bofh) => Promise<Found<T>>),
  { site }: { readonly site: 'used' | 'unused' } = { site: 'unused' },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site, root: 'needed' });
  const found = typeof asked === 'function' ? await untilInterrupted(runtime, asked(bofh)) : asked;
  if (typeof found === 'function') return await found();
  const { destroys = [], again, act, answer } = found;
  if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, act);
  if (destroys.length > 0) await confirm(runtime, destroys);
  if (again !== undefined) await untilInterrupted(runtime, again());
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const told = await answer(made, bofh);
  give(runtime, told);
  return told.exitCode ?? 0;
}

/** The simulated host is loaded for a dry run alone. `notes`: said on stderr after it. */
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
