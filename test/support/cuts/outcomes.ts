import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cut, Figures } from './model.ts';

/** How one cut ended. */
export interface CutOutcome {
  readonly sequence: string;
  readonly seed: number;
  readonly path: number;
  readonly cut: Cut;
  readonly figures: Figures;
  /** As at a boot, or by a person. */
  readonly recovery: 'bofh recover --boot' | 'bofh recover --yes';
  /** The cut is after the command reported success. */
  readonly reported: boolean;
  readonly ended: 'as before' | 'as after' | 'neither';
  /** Recovery left the journal open and named why; a printed command brought it to its end. */
  readonly stuck?: string;
  /** The volume group could not be read before this was typed. */
  readonly repaired?: string;
  readonly why?: string;
  readonly seconds: number;
  /** Until the machine answered. */
  readonly bootSeconds: number;
  readonly date: string;
  /** When the recording was made that this is a cut of. */
  readonly recorded: string;
}

/** The outcomes that are kept in a folder. */
export function readOutcomes(dir: string): readonly CutOutcome[] {
  const file = join(dir, 'outcomes.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CutOutcome);
}

/** With the words that repeat it. */
export function inWords({
  sequence,
  seed,
  path,
  cut,
  figures,
  recovery,
  ended,
  stuck,
  repaired,
  why,
  seconds,
  bootSeconds,
  reported,
}: CutOutcome): string {
  const { unflushed, lost, torn } = figures;
  return (
    `${sequence}: --seed ${seed} --path ${path}: at ${cut.at}${reported ? ' (reported)' : ''}, ${unflushed} unflushed, ${lost} lost, ${torn} torn; ` +
    `${recovery}: ${repaired === undefined ? '' : 'vg0 unreadable, repaired, then '}${stuck === undefined ? '' : 'stuck, then '}${ended} (${seconds} s, boot ${bootSeconds} s)${why === undefined ? '' : `\n${why}`}${stuck === undefined ? '' : `\n${stuck}`}`
  );
}

/** The words that repeat it. */
export function nameOf({ sequence, seed, path }: Pick<CutOutcome, 'sequence' | 'seed' | 'path'>): string {
  return `${sequence}: --seed ${seed} --path ${path}`;
}
