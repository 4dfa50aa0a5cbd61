import { readFileSync } from 'node:fs';
import type { Answer } from '../../../src/command/index.ts';

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
