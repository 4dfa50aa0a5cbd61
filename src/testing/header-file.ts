import type { LuksSlot, Superblock } from './parts.ts';
import { resolve } from './resolve.ts';
import type { World } from './world.ts';

/** What a LUKS header says, on a device or in a file. */
export interface Header {
  readonly superblock: Superblock;
  readonly slots: readonly LuksSlot[];
}

const magic = 'LUKS header ';
const end = '\n';

/** The content of a file that holds a header: a backup, or a header that lies apart from its data. */
export function encodeHeader({ superblock, slots }: Header): Uint8Array {
  return new TextEncoder().encode(`${magic}${JSON.stringify({ superblock, slots })}${end}`);
}

/** The header that a file holds. `torn`: there is the beginning of one. */
export function headerInFile(world: World, path: string): Header | 'torn' | undefined {
  const there = resolve(world, path, 'follow');
  if (!there.found || there.inode.kind !== 'file') return undefined;
  // What lies in a file of a real host was read there.
  const read = world.overlay?.headers.get(there.path);
  if (read !== undefined && there.inode.real !== undefined) return read;
  const text = new TextDecoder().decode(there.inode.content);
  if (!text.startsWith(magic)) return undefined;
  if (!text.endsWith(end)) return 'torn';
  return JSON.parse(text.slice(magic.length)) as Header;
}
