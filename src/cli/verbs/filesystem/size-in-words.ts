import { type Bytes, formatSize } from '../../../core/units.ts';

/** `100 MiB (104857600 bytes)` */
export function sizeInWords(bytes: Bytes | null): string {
  return bytes === null ? 'unknown' : `${formatSize(bytes)} (${String(bytes)} bytes)`;
}
