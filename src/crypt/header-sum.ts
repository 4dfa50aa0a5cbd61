import { inShell, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { sha256 } from '../file/path.ts';
import { contentOf, DamagedHeader, headerOf, refuseDamaged } from './reads.ts';
import { luks2MetadataAt } from './luks2.ts';
import type { LuksHeader } from './schema.ts';

/** Reads the header in a file. RefusedError if there is none, only a part, or a damaged copy. */
export async function backupIn(host: ReadHost, file: string): Promise<LuksHeader> {
  if ((await host.stat(file))?.kind !== 'file')
    throw new RefusedError(`${file} is not a file with a backup of a header`, {
      remedy: `see what is there: ls -l ${inShell(file)}`,
    });
  await refuseDamaged(host, file);
  try {
    return await headerOf(host, file);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    throw new RefusedError(`the backup ${file} is incomplete: it has no valid header`, {
      cause: error,
      remedy: 'name another backup of this header',
    });
  }
}

/**
 * Returns the checksum of the header on a device, or in a file; or `none`, `unreadable`, or `other`
 * for content that is not a header. Each write of a slot generates a new salt, so the salts identify
 * the keys; the metadata of LUKS2 also has tokens, flags and priorities.
 */
export async function sumOn(host: ReadHost, path: string): Promise<string> {
  const { found } = await contentOf(host, path);
  if (found === undefined) return 'none';
  if (found.type !== 'crypto_LUKS') return 'other';
  try {
    const { version, uuid, label, keySlots } = await headerOf(host, path);
    const slots = keySlots.map(({ slot, salt }) => [slot, salt]);
    const metadata = version === 1 ? undefined : await luks2MetadataAt(host, path);
    const text = typeof metadata === 'object' ? [sha256(metadata.text)] : [];
    return sha256(JSON.stringify([version, uuid, label ?? null, slots, ...text]));
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    throw error;
  }
}

/** Whether a result of `sumOn` is a checksum. */
export function isSum(result: string): boolean {
  return !['none', 'unreadable', 'other'].includes(result);
}

/** Whether an error means that the header is unreadable. For LUKS1, cryptsetup reports it. */
function isUnreadable(error: unknown): boolean {
  return error instanceof DamagedHeader || (error instanceof CommandError && error.reason === 'unknown');
}
