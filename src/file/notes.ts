import type { ChangeHost } from '../command/index.ts';

/**
 * Notes may stay until the next boot. Directly in `/run/bofh` the doctor would report a file of a
 * finished sequence as a leftover.
 */
const directory = '/run/bofh/notes';

/**
 * Path of a note: a file that proves a step whose effect cannot prove it. Only the step creates a
 * file of this name.
 */
export function noteOf(mark: string): string {
  return `${directory}/${mark}`;
}

export async function writeNote(host: ChangeHost, path: string): Promise<void> {
  await host.makeDir(directory, { mode: 0o700, parents: true });
  await host.writeNew(path, '', { mode: 0o600 });
}

export async function removeNote(host: ChangeHost, path: string): Promise<void> {
  if ((await host.stat(path)) !== undefined) await host.removeFile(path);
}
