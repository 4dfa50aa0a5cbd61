import { recognise } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { sha256 } from '../file/path.ts';
import { DamagedHeader, headerOf } from './reads.ts';
import type { LuksHeader } from './schema.ts';

/** The header in a file. RefusedError if there is none, or a part of one. */
export async function backupIn(host: ReadHost, file: string): Promise<LuksHeader> {
  if ((await host.stat(file))?.kind !== 'file')
    throw new RefusedError(`${file} is not a file with a backup of a header`, {
      remedy: `see what is there: ls -l ${file}`,
    });
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

/** A slot gets a new salt at each write: so the salts identify the content of a header. */
export function sumOf({ version, uuid, label, keySlots }: LuksHeader): string {
  const slots = keySlots.map(({ slot, salt }) => [slot, salt]);
  return sha256(JSON.stringify([version, uuid, label ?? null, slots]));
}

/**
 * The content of a device: the checksum of its header; or `none`, `unreadable`, or `other` if it is
 * not a header.
 */
export async function sumOn(host: ReadHost, path: string): Promise<string> {
  const found = await recognise(host, path);
  if (found === undefined) return 'none';
  if (found.type !== 'crypto_LUKS') return 'other';
  try {
    return sumOf(await headerOf(host, path));
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    throw error;
  }
}

/** The sum of the LUKS header in a file, or `unreadable`. */
export async function fileSum(host: ReadHost, file: string): Promise<string> {
  try {
    return sumOf(await headerOf(host, file));
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    throw error;
  }
}

/** For LUKS1 cryptsetup reports it. */
function isUnreadable(error: unknown): boolean {
  return error instanceof DamagedHeader || (error instanceof CommandError && error.reason === 'unknown');
}
