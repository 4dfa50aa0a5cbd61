import { type Bofh, withBofh } from '../bofh.ts';
import { parseKeyRef } from '../command/index.ts';
import { type Answer, give } from './answer.ts';
import { confirm } from './confirm.ts';
import { type Options, saidIn } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, pathOn, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

interface Change<T> {
  readonly destroys?: readonly string[];
  readonly act: () => Promise<T>;
  readonly answer: (made: T) => Answer<unknown>;
}

/**
 * A change of a verb: asked about when it destroys something, planned or done, and answered. A function finds out on the
 * host what it is.
 */
export async function change<T>(
  runtime: Runtime,
  asked: Change<T> | ((bofh: Bofh) => Promise<Change<T>>),
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const verb = typeof asked === 'function' ? await untilInterrupted(runtime, asked(bofh)) : asked;
  if (runtime.settings.mode === 'plan') return plan(runtime, bofh, verb.act);
  if (verb.destroys !== undefined) await confirm(runtime, verb.destroys);
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, verb.act));
  progress.end();
  give(runtime, verb.answer(made));
  return 0;
}

async function plan(runtime: Runtime, bofh: Bofh, act: () => Promise<unknown>): Promise<number> {
  const { dryRun } = await import('./plan.ts');
  return await dryRun(runtime, bofh, act);
}

/** The file that a header lies in, when it is not on the device. Throws UsageError for a relative path on another host. */
export function headerFileOf(runtime: Runtime, options: Options): string | undefined {
  const path = saidIn(options)('header');
  return path === undefined ? undefined : pathOn(runtime, path);
}

/** Where a key comes from; a person is asked unless it is said. */
export function keyOf(options: Options, name = 'key') {
  return parseKeyRef(saidIn(options)(name) ?? 'ask');
}
