import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Bug } from './bugs.ts';
import { copyWithBug } from './copies.ts';
import type { EngineModule } from './engine.ts';
import { programs } from './programs.ts';
import { scenarios } from './scenarios/all.ts';
import { crashSweep, faultSweep, fullDiskSweep } from './sweep.ts';
import type { Subject } from './trial.ts';

/** The engine with a bug in it, as a copy of its own. */
export async function withBug(bug: Bug): Promise<Subject> {
  const parts = ['core', 'command', 'atomic'].map((part) => [`src/${part}`, part] as const);
  const modules = await load(copyWithBug(bug, Object.fromEntries(parts), 'atomic'));
  return { modules, ...(bug.toys === undefined ? {} : { bugs: bug.toys }) };
}

async function load(folder: string): Promise<EngineModule> {
  const part = async (path: string): Promise<unknown> =>
    import(/* @vite-ignore */ pathToFileURL(join(folder, path)).href);
  const [errors, operation, recover, sequence] = await Promise.all(
    [
      'core/errors.ts',
      'atomic/operation.ts',
      'atomic/recovery/recover.ts',
      'atomic/sequence/sequence.ts',
    ].map(part),
  );
  return { errors, operation, recover, sequence } as EngineModule;
}

/** What saw a bug, in a few words each, and what the first one said. */
export interface Caught {
  readonly by: readonly string[];
  readonly said: string;
}

const late = 'it did not end';

/**
 * What sees the bug: the named scenarios, then the sweep. `quick` ends at the first; `whole` asks every scenario, and
 * the sweep when none of them did. Undefined when nothing sees it.
 */
export async function whatCatches(subject: Subject, depth: 'quick' | 'whole'): Promise<Caught | undefined> {
  const by: string[] = [];
  let said: string | undefined;
  for (const { name, run } of scenarios) {
    const [first] = await inTime(run(subject));
    if (first === undefined) continue;
    by.push(`scenario “${name}”`);
    said ??= first;
    // Those after it would wait as long.
    if (depth === 'quick' || first === late) break;
  }
  if (said !== undefined) return { by, said };
  const found = await sweep(subject, depth);
  return found === undefined ? undefined : { by: ['the sweep'], said: found };
}

async function sweep(subject: Subject, depth: 'quick' | 'whole'): Promise<string | undefined> {
  for (const script of programs.slice(0, depth === 'quick' ? 4 : programs.length)) {
    const extent = { kinds: ['kill', 'none'], enough: 1, programs: [script] } as const;
    const second = depth === 'quick' ? 0 : 3;
    for (const [found] of [
      await crashSweep(subject, { ...extent, second }),
      await faultSweep(subject, extent),
      await fullDiskSweep(subject, extent),
    ])
      if (found !== undefined) return found;
  }
  return undefined;
}

/** A bug may also make it wait for ever, or throw. */
async function inTime(work: Promise<readonly string[]>): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([late]), 5_000);
  });
  try {
    return await Promise.race([work, over]);
  } catch (error) {
    return [`it threw ${String(error)}`];
  } finally {
    clearTimeout(timer);
  }
}
