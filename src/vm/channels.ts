import { posix } from 'node:path';
import { type ConfigFile, parseConfig, withItems } from '../xen/index.ts';

/**
 * Replaces the sockets of the channels (xl.cfg(5)) in a configuration for a guest of another name. With one socket for
 * two guests, a command for the agent of one reaches the agent of the other.
 */
export function withSockets(
  config: ConfigFile,
  { from, to }: { readonly from: string; readonly to: string },
): Buffer {
  return withItems(config, 'channel', (item) => {
    const path = /(?:^|,)\s*path=(?<path>[^,]+)/.exec(item)?.groups?.path;
    if (path === undefined) return undefined;
    const name = posix.basename(path);
    const isNamed = name.startsWith(from) && /^(?:[-_.]|$)/.test(name.slice(from.length));
    const fresh = isNamed ? to + name.slice(from.length) : `${to}-${name}`;
    return { from: `path=${path}`, to: `path=${posix.join(posix.dirname(path), fresh)}` };
  });
}

/**
 * Settings of xl.cfg(5) that give a guest a device or a port of this host, which only one running
 * guest can have.
 */
const exclusive: readonly string[] = [
  ...['dtdev', 'iomem', 'ioports', 'irqs', 'pci', 'usbdev', 'vtpm'],
  ...['spiceport', 'spicetls_port', 'vncdisplay'],
];

/**
 * The settings of a copied configuration that name what only one running guest can have: `pci`,
 * `vncdisplay`.
 */
export function exclusiveSettings(config: ConfigFile): readonly string[] {
  const { settings } = parseConfig(config);
  return exclusive.filter((key) => {
    const value = settings.get(key);
    return value !== undefined && (value.kind !== 'list' || value.items.length > 0);
  });
}
