import { readdirSync, readFileSync } from 'node:fs';
import type { Answer } from '../../../src/command/index.ts';

const folder = new URL('../../fixtures/xl/', import.meta.url);

/** A recorded answer of xl: `$ command`, `exit N`, and what it wrote. */
export function recorded(situation: string): Answer {
  const text = readFileSync(new URL(`${situation}@4.17.txt`, folder), 'utf8');
  const groups = /^\$ [^\n]*\nexit (?<exit>\d+)\n--- stdout\n(?<stdout>.*?)--- stderr\n(?<stderr>.*)$/s.exec(
    text,
  )?.groups;
  if (groups === undefined) throw new Error(`${situation}: not a recording`);
  return { exitCode: Number(groups.exit), stdout: groups.stdout ?? '', stderr: groups.stderr ?? '' };
}

/** The situations whose names begin so. */
export function situations(prefix: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && name.endsWith('@4.17.txt'))
    .map((name) => name.replace('@4.17.txt', ''));
}
