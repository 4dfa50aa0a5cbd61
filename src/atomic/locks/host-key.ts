import type { Claims, Key } from '../operation.ts';
import type { Place } from '../place.ts';
import { exclusive } from '../journal/state.ts';

const common = 'hosts:';

/**
 * The key of an object that is the same on several hosts: all of them use this name, and a step on
 * one conflicts with a step on another.
 */
export function commonKey(of: string): Key {
  return `${common}${of}`;
}

/** The key of an object in journals and locks; for another host it contains the name of that host. */
export function hostKey({ host }: Pick<Place, 'host'>, key: Key): Key {
  return keyOf(host.name, key);
}

/** The same for a host by its name. */
export function keyOf(host: string, key: Key): Key {
  return key.startsWith(common) ? key : `${prefixOf(host)}${key}`;
}

/** Converts a key of a journal to the key on its own host. */
export function ownKey(host: string, key: Key): Key {
  const prefix = prefixOf(host);
  return key.startsWith(prefix) ? key.slice(prefix.length) : key;
}

/** Terms for the keys of bofh's operations. Keys of other operations are shown unchanged. */
const words: Readonly<Record<string, string>> = {
  ...{ lv: 'logical volume', vg: 'volume group', pv: 'physical volume', part: 'partition' },
  ...{ luks: 'LUKS device', map: 'mapping', dev: 'device', table: 'partition table' },
  ...{ fs: 'filesystem', mnt: 'mount point', file: '', real: '', unit: '', sysctl: '' },
  ...{ dom: 'guest', 'dom-uuid': 'guest', mac: 'MAC address', module: 'kernel module' },
  ...{ drbd: 'DRBD resource', 'drbd-minor': 'DRBD minor', 'drbd-port': 'DRBD port' },
  ...{ subvol: 'subvolume', 'btrfs-quota': 'quotas of', 'btrfs-devices': 'devices of' },
  ...{ 'btrfs-scrub': 'scrub of', 'btrfs-balance': 'balance of' },
  ...{ user: 'user', group: 'group', uid: 'user id', gid: 'group id' },
  ...{ keys: 'authorized keys of', member: 'membership', package: 'package' },
};

/** Formats a key of a journal for people: `logical volume vg0/x`, or `logical volume vg0/x on web2`. */
export function keyInWords(host: string, key: Key): string {
  const own = key.startsWith(common) ? key.slice(common.length) : ownKey(host, key);
  const { kind = '', rest = '' } = /^(?<kind>[a-z-]+):(?<rest>[^]*)$/.exec(own)?.groups ?? {};
  if (kind === 'trim') return `trim of ${keyInWords(host, keyOf(host, rest))}`;
  const word = words[kind];
  const loop = /^dev:loop:(?<on>\d+:\d+):(?<inode>\d+)$/.exec(own)?.groups;
  const named =
    loop === undefined
      ? word === undefined
        ? own
        : `${word} ${rest}`.trimStart()
      : `loop device of inode ${loop['inode'] ?? ''} on ${loop['on'] ?? ''}`;
  return host === '' || key.startsWith(common) ? named : `${named} on ${host}`;
}

/** The keys that a step makes or changes, as its own host names them. */
export function objectsOf(intent: { readonly host: string; readonly claims: Claims | null }): readonly Key[] {
  const own = exclusive(intent.claims ?? {}).filter((key) => !key.startsWith(common));
  return own.map((key) => ownKey(intent.host, key));
}

function prefixOf(host: string): string {
  return host === '' ? '' : `${host}!`;
}
