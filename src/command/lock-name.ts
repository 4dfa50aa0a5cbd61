import { createHash } from 'node:crypto';

/**
 * Returns the file name for the lock of an object, the same on every host: readable, and within the
 * 255 bytes that a name may have.
 */
export function lockName(key: string): string {
  const escaped = encodeURIComponent(key).replaceAll('.', '%2E');
  if (escaped.length <= 200) return escaped;
  return `${escaped.slice(0, 150)}.${createHash('sha256').update(key).digest('hex')}`;
}
