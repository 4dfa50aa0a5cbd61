import { posix } from 'node:path';
import { contentInWords } from '../blockdevice/index.ts';
import type { KeyRef, ReadHost } from '../command/index.ts';
import { readRoot, statInside } from '../copy/index.ts';
import { isLuksSignature } from '../crypt/reads.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { FstabLine } from '../mount/index.ts';
import { type CrypttabLine, parseCrypttab } from '../mount/tab/crypttab.ts';
import type { Tx } from '../operations.ts';
import type { GuestConfig } from '../xen/index.ts';
import { disksNamed, type HostDisk } from './host-disks.ts';

/** How an encrypted disk of a guest is opened on this host. */
export type LuksAccess =
  /** It is open already. */
  | { readonly mapping: string }
  | { readonly key: KeyRef }
  /** With a key file in the root of the guest, an absolute path there. */
  | { readonly keyInside: string };

/** An encrypted disk that is not opened because there is no key for it. */
export interface ClosedDisk {
  readonly device: string;
  /** Its name in the /etc/crypttab of the guest. */
  readonly name: string;
  /** Its mount point in the guest. */
  readonly target: string;
}

/** The line of the guest's /etc/crypttab that opens a device under this name. */
function lineOf(guest: GuestConfig, text: string | undefined, name: string): CrypttabLine | undefined {
  const file = `/etc/crypttab of ${guest.name}`;
  const { lines, unread } = parseCrypttab(text ?? '');
  const [odd] = unread;
  const line = lines.find((each) => each.name === name);
  if (line !== undefined || (text !== undefined && odd === undefined)) return line;
  throw new RefusedError(
    odd === undefined
      ? `${file} is not a regular file`
      : `${file}: line ${odd.number} could not be parsed: ${odd.why}`,
    {
      remedy: `mount only the filesystem that you need: bofh mount add ${guest.disks[0]?.path ?? 'DEVICE'}; then correct that file`,
    },
  );
}

/**
 * How to open the encrypted disk that a line of the guest's fstab mounts. Undefined: the line names no such disk.
 * `closed`: it is left out. Throws RefusedError if the guest needs the disk, and there is no key for it.
 */
export async function luksAccess(
  host: ReadHost,
  { source, target, options }: FstabLine,
  of: {
    readonly guest: GuestConfig;
    readonly disks: readonly HostDisk[];
    readonly root: HostDisk;
    /** Text of the /etc/crypttab; undefined if it is not a regular file. */
    readonly crypttab: string | undefined;
    readonly keys: Readonly<Record<string, KeyRef>> | undefined;
    readonly isMounted: boolean;
  },
): Promise<
  | {
      readonly disk: HostDisk;
      readonly luks: LuksAccess;
      readonly readOnly: boolean;
      /** Its name in `keys`. */
      readonly asked: string | undefined;
    }
  | ClosedDisk
  | 'closed'
  | undefined
> {
  const { guest, disks, keys } = of;
  const mapped = /^\/dev\/mapper\/(?<mapped>[^/]+)$/.exec(source)?.groups?.mapped;
  const line = mapped === undefined ? undefined : lineOf(guest, of.crypttab, mapped);
  const [disk, other] = line === undefined ? [] : disksNamed(line.device, disks);
  if (line === undefined || disk === undefined) return undefined;
  const { name } = line;
  const where = `/etc/fstab of ${guest.name} mounts ${source} on ${target}`;
  if (other !== undefined)
    throw new RefusedError(
      `${where}, and the line for ${name} in its /etc/crypttab matches two disks, ${disk.path} and ${other.path}`,
      {
        remedy: `name the disk in that file by its name in the guest: /dev/${disk.vdev} or /dev/${other.vdev}`,
      },
    );
  const isNeeded = !options.includes('nofail');
  if (!isLuksSignature(disk.content)) {
    if (!isNeeded) return 'closed';
    throw new RefusedError(
      `${where} from ${disk.path}, which holds ${contentInWords(disk.content)}: bofh opens only LUKS`,
      {
        remedy: `add noauto or nofail to that line of the fstab of ${guest.name}; then run the command again`,
      },
    );
  }
  if (keys !== undefined) {
    const isRead = line.options.some((word) => /^read-?only$/.test(word));
    const found = { disk, readOnly: isRead || disk.mapping?.mode === 'ro' };
    const asked = Object.keys(keys).find((each) => isNameOf(each, { guest, disk, name }));
    const key = asked === undefined ? undefined : keys[asked];
    if (disk.mapping !== undefined) return { ...found, luks: { mapping: disk.mapping.path }, asked };
    if (key !== undefined) return { ...found, luks: { key }, asked };
    const keyInside = of.isMounted ? undefined : await keyFileOf(host, line, of.root);
    if (keyInside !== undefined) return { ...found, luks: { keyInside }, asked };
  }
  if (!isNeeded) return { device: disk.path, name, target };
  throw new RefusedError(`${where} from the LUKS of its disk ${disk.vdev} (${disk.path}), which is closed`, {
    code: 'not-found',
    remedy:
      keys === undefined
        ? `add nofail to that line of the fstab of ${guest.name}; then run the command again`
        : `name its key: ${keyOption(guest.name, name)}`,
  });
}

/** The command, or the option of the library, that names the key of a disk. */
export function keyOption(guest: string, name: string): string {
  return option(
    `bofh vm mount ${guest} --key-file ${name}=FILE`,
    `keys: { ${JSON.stringify(name)}: { from: 'file', path: '/PATH' } }`,
  );
}

function isNameOf(
  asked: string,
  of: { readonly guest: GuestConfig; readonly disk: HostDisk; readonly name: string },
): boolean {
  const { guest, disk, name } = of;
  return asked === name || asked === disk.vdev || disk.path.endsWith(`/${guest.name}-${asked}`);
}

/** Throws UsageError for the key of a disk that the guest does not mount. */
export function refuseUnusedKeys(guest: GuestConfig, names: readonly string[]): void {
  if (names[0] === undefined) return;
  throw new UsageError(
    `${option('--key-file', 'keys')} ${names[0]}: the /etc/fstab and /etc/crypttab of ${guest.name} mount no encrypted disk ${names[0]}`,
    { remedy: `leave it out; see the disks of ${guest.name}: bofh vm show ${guest.name}` },
  );
}

/**
 * The key file in the root of the guest, as systemd finds it: the one in the line, or
 * /etc/cryptsetup-keys.d/NAME.key. Undefined if there is none, or if the line uses only a part of it.
 */
async function keyFileOf(
  host: ReadHost,
  { name, key, options }: CrypttabLine,
  { path: device }: HostDisk,
): Promise<string | undefined> {
  const file = key === 'none' ? `/etc/cryptsetup-keys.d/${name}.key` : key;
  if (!file.startsWith('/') || file.startsWith('/dev/') || posix.normalize(file) !== file) return undefined;
  if (options.some((word) => /^key(?:file-offset|file-size|script)=/.test(word))) return undefined;
  const directory = posix.dirname(file).slice(1);
  const { paths } = await readRoot(host, { device, directories: [directory], files: [] });
  return paths.has(file.slice(1)) ? file : undefined;
}

/** Opens an encrypted disk; returns the path of its mapping. */
export async function openLuks(
  tx: Tx,
  host: ReadHost,
  of: {
    readonly device: string;
    readonly mode: 'ro' | 'rw';
    readonly luks: LuksAccess;
    /** Directory on which the root of the guest is mounted. */
    readonly root: string | undefined;
  },
): Promise<string> {
  const { device, mode, luks, root = '' } = of;
  if ('mapping' in luks) return luks.mapping;
  const key = 'key' in luks ? luks.key : await keyInRoot(host, root, luks.keyInside);
  return (await tx.crypt.open({ device, key, mode })).path;
}

/** A key file in the mounted root of a guest. Never follows a symbolic link, which could lead out of the root. */
async function keyInRoot(host: ReadHost, root: string, path: string): Promise<KeyRef> {
  const { stat } = await statInside(host, { root, path: path.slice(1) });
  if (stat?.kind === 'file') return { from: 'file', path: posix.join(root, path) };
  throw new RefusedError(`the key file ${path} in the root of the guest is not a regular file`, {
    remedy: `name a key file of this host: ${option('--key-file NAME=FILE', 'keys')}`,
  });
}
