import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A change to one file; `old` occurs in it exactly once. */
export interface Patch {
  readonly file: string;
  readonly old: string;
  readonly now: string;
}

/** The name of a bug as that of a file. */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

/** A copy of parts of the project, in a folder of its own below .cache, with a bug in it: the product has no hook for this. */
export function copyWithBug(
  bug: { readonly name: string; readonly patches: readonly Patch[] },
  parts: Readonly<Record<string, string>>,
  patched: string,
): string {
  const folder = join(root, '.cache/bite', slugOf(bug.name));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [part, to] of Object.entries(parts))
    cpSync(join(root, part), join(folder, to), { recursive: true });
  for (const { file, old, now } of bug.patches) {
    const path = join(folder, patched, file);
    const text = readFileSync(path, 'utf8');
    const times = text.split(old).length - 1;
    if (times !== 1) throw new Error(`"${bug.name}": its text is in ${file} ${times} times: ${old}`);
    const changed = text.replace(old, () => now);
    writeFileSync(path, changed);
  }
  return folder;
}
