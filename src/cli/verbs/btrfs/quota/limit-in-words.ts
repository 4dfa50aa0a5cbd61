import { formatSize } from '../../../../core/units.ts';

export function limitInWords(bytes: number | null): string {
  return bytes === null ? 'none' : formatSize(bytes);
}
