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

/** IFNAMSIZ of linux/if.h is 16, with the ending NUL. */
const longest = 15;

/**
 * Replaces `vifname` of the interfaces in a configuration for a guest of another name, or removes it if it is not
 * named after the guest. With one name for two guests, the script of Xen connects the interface of the other
 * guest to the bridge, and disconnects it when this one ends.
 */
export function withVifNames(
  config: ConfigFile,
  { from, to }: { readonly from: string; readonly to: string },
): Buffer {
  return withItems(config, 'vif', (item) => {
    const name = /(?:^|,)\s*vifname=(?<name>[^,]*)/.exec(item)?.groups?.name;
    if (name === undefined) return undefined;
    const fresh = to + name.slice(from.length);
    if (name.startsWith(from) && /^(?:[-_.]|$)/.test(name.slice(from.length)) && fresh.length <= longest)
      return { from: `vifname=${name}`, to: `vifname=${fresh}` };
    const whole = /(?<![^,\s])vifname=[^,]*,\s*|,\s*vifname=[^,]*$|vifname=.*$/.exec(item)?.[0] ?? '';
    return { from: whole, to: '' };
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
