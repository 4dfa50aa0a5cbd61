/** Random numbers from 0 (inclusive) to 1 (exclusive); the same seed gives the same numbers. */
export type Draw = () => number;

/** Returns the generator mulberry32 with this seed. */
export function drawOf(seed: number): Draw {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
