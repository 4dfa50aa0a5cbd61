import { randomId } from '../core/random.ts';

/** 00:16:3e is the prefix of the Xen project (xl-network-configuration(5)). */
export function randomMac(): string {
  const [a, b, c] = randomId(3);
  return [
    '00',
    '16',
    '3e',
    ...[(a ?? 0) & 0x7f, b ?? 0, c ?? 0].map((byte) => byte.toString(16).padStart(2, '0')),
  ].join(':');
}
