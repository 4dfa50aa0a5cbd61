import { randomInt } from 'node:crypto';

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Returns a new uuid in lvm's format: 32 letters and digits in groups of 6-4-4-4-4-4-6
 * (lib/uuid/uuid.c of lvm2 2.03.16).
 */
export function newLvmUuid(): string {
  const drawn = (count: number): string =>
    Array.from({ length: count }, () => letters.charAt(randomInt(letters.length))).join('');
  return [6, 4, 4, 4, 4, 4, 6].map(drawn).join('-');
}
