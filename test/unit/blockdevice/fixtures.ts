import { readFileSync } from 'node:fs';
import type { Answer } from '../../../src/command/index.ts';
import { versionsOf } from '../../support/record/recordings.ts';

/** A recorded call of a real tool. */
export interface Recorded extends Answer {
  readonly argv: readonly [string, ...string[]];
}

/** `lvm/lvs-many@2.03.16` of test/fixtures. */
export function recorded(name: string): Recorded {
  return JSON.parse(
    readFileSync(new URL(`../../fixtures/${name}.json`, import.meta.url), 'utf8'),
  ) as Recorded;
}

/** Rows of a table of tests whose first word names a situation: one for each version that it was recorded with. */
export function everyVersion<More extends readonly unknown[]>(
  rows: readonly (readonly [string, ...More])[],
): readonly (readonly [string, ...More])[];
export function everyVersion<const Rows extends readonly Row[]>(
  rows: Rows,
): readonly (readonly [string, ...Rest<Rows[number]>])[];
export function everyVersion(rows: readonly Row[]): readonly Row[] {
  return rows.flatMap(([name, ...rest]) => {
    const versions = versionsOf(name);
    if (versions.length === 0) throw new Error(`${name} was never recorded`);
    return versions.map((version) => [`${name}@${version}`, ...rest] as const);
  });
}

type Row = readonly [string, ...(readonly unknown[])];
type Rest<R extends Row> = R extends readonly [string, ...infer More] ? More : never;
