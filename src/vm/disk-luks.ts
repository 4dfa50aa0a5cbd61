import * as z from 'zod/mini';
import { keyRef, type KeyRef, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import { checkKey } from '../crypt/check-key.ts';
import { memoryWithGuest } from '../crypt/cost.ts';
import { parseCrypttab } from '../mount/tab/crypttab.ts';
import type { Tx } from '../operations.ts';

/** Encrypts a new disk with LUKS2; its filesystem is inside. */
export const diskLuks = z.strictObject({
  /** Where the key comes from, as for `crypt.format`. It is not copied into the guest. */
  key: keyRef,
});

/** How a disk is encrypted. */
export interface NewDiskLuks {
  readonly key: KeyRef;
  /** Memory that opening it needs; undefined: not yet planned. */
  readonly pbkdfMemory?: Bytes;
}

interface WithLuks {
  readonly luks?: NewDiskLuks;
}

/**
 * Checks the keys of encrypted disks, and chooses the memory that opening them needs, which the guest must have
 * too.
 */
export async function planLuks<D extends WithLuks>(
  host: ReadHost,
  disks: readonly D[],
  /** Memory of the guest. */
  memory: Bytes,
): Promise<readonly D[]> {
  const planned: D[] = [];
  for (const disk of disks) {
    if (disk.luks !== undefined) await checkKey(host, disk.luks.key);
    planned.push(
      disk.luks === undefined
        ? disk
        : { ...disk, luks: { ...disk.luks, pbkdfMemory: await memoryWithGuest(host, memory) } },
    );
  }
  return planned;
}

/**
 * The text of the /etc/crypttab to which the lines of the disks are added; empty if there is none. Throws
 * RefusedError if it already opens a device under the name of a disk.
 */
export function oldCrypttab(
  { paths, texts }: { readonly paths: ReadonlySet<string>; readonly texts: ReadonlyMap<string, string> },
  disks: readonly (WithLuks & { readonly name: string })[],
  owner: string,
): string {
  const wanted = disks.flatMap(({ name, luks }) => (luks === undefined ? [] : [name]));
  const text = texts.get('etc/crypttab') ?? '';
  if (wanted.length === 0) return text;
  const file = `/etc/crypttab of ${owner}`;
  if (paths.has('etc/crypttab') && !texts.has('etc/crypttab'))
    throw new RefusedError(`${file} is not a regular file`, {
      remedy: 'replace it by a regular file, or create the disk without LUKS',
    });
  const { lines, unread } = parseCrypttab(text);
  if (unread[0] !== undefined)
    throw new RefusedError(`${file}: line ${unread[0].number} could not be parsed: ${unread[0].why}`, {
      remedy: 'correct that line; then run the command again',
    });
  const taken = lines.find(({ name }) => wanted.includes(name));
  if (taken === undefined) return text;
  throw new RefusedError(`${file} already opens ${taken.device} as ${taken.name}`, {
    code: 'exists',
    remedy: 'choose another name for the disk, or remove that line',
  });
}

/** An encrypted disk that is open on this host while its content is created. */
export interface OpenLuks {
  /** The mapping. */
  readonly name: string;
  readonly path: string;
  readonly uuid: string;
  readonly key: KeyRef;
}

/** Formats a device with LUKS2, and opens it. */
export async function makeLuks(
  tx: Tx,
  { device, luks }: { readonly device: string; readonly luks: NewDiskLuks },
): Promise<OpenLuks> {
  const { key, pbkdfMemory } = luks;
  const { uuid } = await tx.crypt.format({ device, key, ...present({ pbkdfMemory }) });
  const { name, path } = await tx.crypt.open({ device, key });
  return { name, path, uuid, key };
}

/** The line of an encrypted disk in the /etc/crypttab of its guest, which boots without it if it has no key. */
export function crypttabLine({ name, uuid }: { readonly name: string; readonly uuid: string }): string {
  return `${name} UUID=${uuid} none luks,nofail`;
}
