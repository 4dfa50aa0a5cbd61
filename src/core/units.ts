import { UsageError } from './errors.ts';

/** A number of bytes: a safe integer, so at most 8 PiB. */
export type Bytes = number;

const factors: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};

const sizePattern = /^(?<number>\d+(?:\.\d+)?)(?:(?<unit>[kmgtp])(?:i?b)?|b)$/i;

/**
 * Bytes of a size as an administrator writes it: `10g`, `10G`, `10gb`, `10GiB`, always 1024-based as in
 * lvcreate (unlike util-linux, where 10GB is 10^10). Text needs a unit, because a bare number means bytes in
 * some tools and MiB in others; a number in code is bytes. Throws UsageError for anything else, and for zero.
 */
export function parseSize(text: string | number): Bytes {
  checkSize(text);
  const match = sizePattern.exec(typeof text === 'number' ? `${text}b` : text.trim());
  const groups = match?.groups;
  if (groups === undefined && /^\d+(?:\.\d+)?$/.test(String(text).trim()))
    throw new UsageError(`"${text}" has no unit`, {
      remedy: 'add one: b, k, m, g, t or p (bytes, KiB, MiB, GiB, TiB, PiB), for example 512m',
    });
  if (groups === undefined)
    throw new UsageError(`"${text}" is not a size`, { remedy: 'write for example 512m, 10g or 10GiB' });
  const bytes = Number(groups.number) * (factors[(groups.unit ?? 'b').toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(Math.ceil(bytes)))
    throw new UsageError(`"${text}" is too large: a size is at most 8 PiB`);
  if (bytes < 1) throw new UsageError(`"${text}" is too small: a size is at least one byte`);
  return Math.ceil(bytes);
}

/** Throws UsageError for a value that is not a size, because scripts without types may pass anything. */
function checkSize(value: unknown): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new UsageError(`${String(value)} is not a whole number of bytes`);
  if (typeof value !== 'number' && typeof value !== 'string')
    throw new UsageError(`${String(value)} is not a size`, { remedy: 'pass bytes, or text such as 10g' });
}

/**
 * Formats bytes for people: exactly if a unit divides them, else with one decimal: `2 GiB`, `1.5 GiB`, `700
 * B`.
 */
export function formatSize(bytes: Bytes): string {
  if (!Number.isFinite(bytes)) throw new UsageError(`${String(bytes)} is not a number of bytes`);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const rounded = Number.isInteger(value) ? String(value) : value.toFixed(1).replace(/\.0$/, '');
  return `${rounded} ${units[unit] ?? 'B'}`;
}
