import { busyWith, fileHolders } from '../blockdevice/index.ts';
import type { ChangeHost } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';

/**
 * Removes a name. If the kernel refuses because the file is a mount point or swap, the error says
 * so.
 */
export async function unlink(host: ChangeHost, path: string): Promise<void> {
  try {
    await host.removeFile(path);
  } catch (error) {
    if (!(error instanceof CommandError) || !['busy', 'denied'].includes(error.reason)) throw error;
    const holders = await fileHolders(host, path);
    throw holders.length === 0 ? error : busyWith(error, { what: path, holders });
  }
}
