import { type Bofh, withBofh } from '../bofh.ts';
import { parseKeyRef } from '../command/index.ts';
import { UsageError } from '../errors.ts';
import { type Answer, give } from './answer.ts';
import { confirm } from './confirm.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';

/** What was typed behind a verb of `bofh crypt`. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

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
  return parseKeyRef(textOf(options)(name) ?? 'ask');
}

/** Options that have a value, by name. */
export function textOf(options: Options): (name: string) => string | undefined {
  return (name) => {
    const value = options[name];
    return typeof value === 'string' ? value : undefined;
  };
}

/** One of these words, or UsageError. */
export function oneOf<const W extends string>(text: string, words: readonly W[]): W {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new UsageError(`"${text}" is none of ${words.join(', ')}`);
  return found;
}
