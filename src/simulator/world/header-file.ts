import type { LuksParts, Superblock } from './parts.ts';
import { resolve } from './resolve.ts';
import type { Inode } from './tree.ts';
import type { World } from './world.ts';
import { present } from '../../core/present.ts';

/** The content of a LUKS header, on a device or in a file. */
export interface Header extends LuksParts {
  readonly superblock: Superblock;
}

const magic = 'LUKS header ';
const end = '\n';
/** A real header file is larger. Reads by bytes get those of a real header. */
const fileSize = 64 * 1024;

/** Encodes a header file: a backup, or a detached header. */
export function encodeHeader(header: Header): Uint8Array {
  const { superblock } = header;
  const text = `${magic}${JSON.stringify({ superblock, ...partsOf(header) })}`;
  return new TextEncoder().encode(`${text.padEnd(fileSize - end.length)}${end}`);
}

/** Returns a header without its superblock, and without other values of the same object. */
export function partsOf({
  slots,
  volumeKey,
  cipher,
  integrity,
  slotRoom,
  reencryption,
}: Pick<LuksParts, 'slots'> & { readonly [P in keyof LuksParts]: LuksParts[P] | undefined }): LuksParts {
  return {
    slots: slots.toSorted((a, b) => a.slot - b.slot),
    ...present({ volumeKey, cipher, integrity, slotRoom, reencryption }),
  };
}

/** Returns the header in a file; for an incomplete one, what blkid finds in it. */
export function headerInFile(world: World, path: string): Header | { readonly torn: Superblock } | undefined {
  const there = resolve(world, path, 'follow');
  if (!there.found || there.inode.kind !== 'file') return undefined;
  const text = new TextDecoder().decode(there.inode.content);
  // The content of a header file of a real host was read there.
  if (!text.startsWith(magic)) return world.overlay?.headers.get(there.path);
  if (!text.endsWith(end)) return torn(text);
  return JSON.parse(text.slice(magic.length)) as Header;
}

/**
 * Whether the model has the content of this file: not for a file of a real host that the plan has
 * not written to.
 */
export function isModelled({ kind, real, content }: Inode): boolean {
  if (kind !== 'file') return false;
  return real === undefined || new TextDecoder().decode(content?.subarray(0, magic.length)) === magic;
}

function torn(text: string): { readonly torn: Superblock } | undefined {
  const uuid = /"uuid":"(?<uuid>[^"]*)"/.exec(text)?.groups?.uuid;
  const version = /"version":"(?<version>\d)"/.exec(text)?.groups?.version;
  if (uuid === undefined || version === undefined) return undefined;
  return { torn: { type: 'crypto_LUKS', usage: 'crypto', uuid, version } };
}
