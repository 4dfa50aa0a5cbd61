import { type Bofh, withBofh } from '../bofh.ts';
import { parseKeyRef } from '../command/index.ts';
import { type Answer, give } from './answer.ts';
import { confirm } from './confirm.ts';
import { type Options, saidIn } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';

/** A change of a verb: asked about when it destroys something, planned or done, and answered. */
export async function change<T>(
  runtime: Runtime,
  verb: {
    readonly destroys?: readonly string[];
    readonly act: () => Promise<T>;
    readonly answer: (made: T) => Answer<unknown>;
  },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
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

/** Where a key comes from; a person is asked unless it is said. */
export function keyOf(options: Options, name = 'key') {
  return parseKeyRef(saidIn(options)(name) ?? 'ask');
}
