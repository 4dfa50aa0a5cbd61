import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Bug } from './bugs.ts';
import type { EngineModule } from './engine.ts';
import { programs } from './programs.ts';
import { scenarios } from './scenarios/all.ts';
import { crashSweep, faultSweep, fullDiskSweep } from './sweep.ts';
import type { Subject } from './trial.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The engine with a bug in it, as a copy of its own: the product has no hook for this. */
export async function withBug(bug: Bug): Promise<Subject> {
  const folder = join(root, '.cache/bite', bug.name.replaceAll(/[^a-z]+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ['errors.ts', 'units.ts', 'command', 'atomic'])
    cpSync(join(root, 'src', part), join(folder, part), { recursive: true });
  for (const { file, old, now } of bug.patches) {
    const path = join(folder, 'atomic', file);
    const text = readFileSync(path, 'utf8');
    const times = text.split(old).length - 1;
    if (times !== 1) throw new Error(`"${bug.name}": its text is in ${file} ${times} times: ${old}`);
    writeFileSync(
      path,
      text.replace(old, () => now),
    );
  }
  const modules = await load(folder);
  return { modules, ...(bug.toys === undefined ? {} : { bugs: bug.toys }) };
}

async function load(folder: string): Promise<EngineModule> {
  const part = async (path: string): Promise<unknown> =>
    import(/* @vite-ignore */ pathToFileURL(join(folder, path)).href);
  const [errors, operation, recover, sequence] = await Promise.all(
    ['errors.ts', 'atomic/operation.ts', 'atomic/recover.ts', 'atomic/sequence.ts'].map(part),
  );
  return { errors, operation, recover, sequence } as EngineModule;
}

/** What first sees the bug, the cheapest first; undefined when nothing does. */
export async function firstCatch(subject: Subject, depth: 'quick' | 'whole'): Promise<string | undefined> {
  for (const { name, run } of scenarios) {
    const found = await inTime(run(subject));
    if (found.length > 0) return `scenario "${name}": ${found[0] ?? ''}`;
  }
  for (const script of programs.slice(0, depth === 'quick' ? 4 : programs.length)) {
    const extent = { kinds: ['kill', 'none'], enough: 1, programs: [script] } as const;
    const second = depth === 'quick' ? 0 : 3;
    for (const found of [
      await crashSweep(subject, { ...extent, second }),
      await faultSweep(subject, extent),
      await fullDiskSweep(subject, extent),
    ])
      if (found.length > 0) return `sweep: ${found[0] ?? ''}`;
  }
  return undefined;
}

/** A bug may also make it wait for ever, or throw. */
async function inTime(work: Promise<readonly string[]>): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve(['it did not end']), 5_000);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    return [`it threw ${String(error)}`];
  } finally {
    clearTimeout(timer);
  }
}
