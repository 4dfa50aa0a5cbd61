import type { Bytes } from '../../../core/units.ts';
import { sizeAmong } from '../../runtime/sizes.ts';

/** `20g`, `+5g` or `-5g`. */
export interface SizeChange {
  readonly sign: '' | '+' | '-';
  readonly bytes: Bytes;
}

export function sizeChange(text: string): SizeChange {
  const { sign, size = '' } = /^(?<sign>[+-]?)(?<size>.*)$/s.exec(text)?.groups ?? {};
  return { sign: sign === '+' || sign === '-' ? sign : '', bytes: sizeAmong(size, '20g, +5g or -5g') };
}
