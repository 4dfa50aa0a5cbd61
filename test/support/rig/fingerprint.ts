import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RigError } from './errors.ts';
import type { Machine } from './machine.ts';
import { assetsDir } from './recipe.ts';

/** The state of a host as one text: equal states have equal texts. */
export type Fingerprint = {
  readonly text: string;
  /** Lines that only this one (`-`) or only the other (`+`) has, below their section; empty when the states are equal. */
  readonly diff: (other: Fingerprint) => string;
};

/**
 * Reads what bofh may change on a host and should restore: LVM, device mapper, mounts, swaps, loop devices, guest configs, domains
 * and their disks, open journals. Throws when any of it cannot be told.
 */
export async function fingerprint(machine: Machine): Promise<Fingerprint> {
  const script = await readFile(join(assetsDir, 'fingerprint.sh'), 'utf8');
  const { stdout } = await machine.run('bash -s', { stdin: script });
  if (!stdout.endsWith('== end\n')) throw new RigError(`the fingerprint is not whole:\n${stdout}`);
  return fingerprintOf(stdout);
}

/** A fingerprint from its text. */
export function fingerprintOf(text: string): Fingerprint {
  return { text, diff: (other) => differences(text, other.text) };
}

function differences(before: string, after: string): string {
  if (before === after) return '';
  const mine = sections(before);
  const theirs = sections(after);
  const lines: string[] = [];
  for (const name of new Set([...mine.keys(), ...theirs.keys()])) {
    const a = mine.get(name) ?? [];
    const b = theirs.get(name) ?? [];
    const changed = [
      ...without(a, b).map((line) => `- ${line}`),
      ...without(b, a).map((line) => `+ ${line}`),
    ];
    if (changed.length === 0 && a.join('\n') !== b.join('\n'))
      changed.push('  (the same lines in another order)');
    if (changed.length > 0) lines.push(`== ${name}`, ...changed);
  }
  return lines.join('\n');
}

function sections(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('== ')) {
      lines = [];
      found.set(line.slice(3), lines);
    } else lines.push(line);
  }
  return found;
}

/** What `from` has more of than `minus`. */
function without(from: readonly string[], minus: readonly string[]): readonly string[] {
  const left = [...minus];
  return from.filter((line) => {
    const at = left.indexOf(line);
    if (at === -1) return true;
    left.splice(at, 1);
    return false;
  });
}
