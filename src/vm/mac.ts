import { randomId } from '../core/random.ts';
import { type ConfigFile, withItems } from '../xen/index.ts';

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

/**
 * Replaces the MAC address of each interface that has one.
 *
 * @param macs - The new addresses, in the order of all interfaces (default: random).
 */
export function withMacs(config: ConfigFile, macs: readonly (string | undefined)[]): Buffer {
  const left = [...macs];
  return withItems(config, 'vif', (item) => {
    const to = left.shift() ?? randomMac();
    const from = /(?:^|,)\s*mac=(?<mac>[^,\s]+)/.exec(item)?.groups?.mac;
    return from === undefined ? undefined : { from, to };
  });
}
