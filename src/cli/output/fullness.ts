import { fullLimit, nearLimit } from '../../lvm/filling.ts';
import type { TextStyle } from './style.ts';

/** Returns the style for a usage in percent: `bad` if it is full, `warning` from `near`; undefined below that. */
export function fullness(percent: number | undefined, near = nearLimit): TextStyle | undefined {
  if (percent === undefined || percent < Math.min(near, fullLimit)) return undefined;
  return percent >= fullLimit ? 'bad' : 'warning';
}

/** Returns `part` in percent of `whole`; 0 if `whole` is 0. */
export function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
