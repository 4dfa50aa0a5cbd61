import { createHash } from 'node:crypto';

/** Random numbers from 0 (inclusive) to 1 (exclusive): of equal words, equal ones. */
export type Draw = () => number;

/** mulberry32, begun by a hash of the words. */
export function drawOf(...words: readonly (string | number)[]): Draw {
  let state = createHash('sha256').update(words.join(' ')).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
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
