import { createHash } from 'node:crypto';
import { type Draw, drawOf as drawFrom } from '../../../src/simulator/faults/draw.ts';

export type { Draw } from '../../../src/simulator/faults/draw.ts';

/** Random numbers: of equal words, equal ones. */
export function drawOf(...words: readonly (string | number)[]): Draw {
  return drawFrom(createHash('sha256').update(words.join(' ')).digest().readUInt32LE(0));
}

/** A whole number below `end`. */
export function below(draw: Draw, end: number): number {
  return Math.floor(draw() * end);
}

/** One of these. */
export function oneOf<T>(draw: Draw, all: readonly T[]): T {
  const one = all[below(draw, all.length)];
  if (one === undefined) throw new Error('there is nothing to draw from');
  return one;
}
