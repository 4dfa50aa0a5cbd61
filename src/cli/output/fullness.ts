import { fullLimit, nearLimit } from '../../lvm/filling.ts';
import type { TextStyle } from './style.ts';

/** What the usage of something that can be full says, in percent; undefined: there is room. */
export function fullness(percent: number | undefined, near = nearLimit): TextStyle | undefined {
  if (percent === undefined || percent < Math.min(near, fullLimit)) return undefined;
  return percent >= fullLimit ? 'bad' : 'warning';
}

/** The share of a whole in percent; 0 of nothing. */
export function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
