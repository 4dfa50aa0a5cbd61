import type { ChangeHost } from '../command/index.ts';

/**
 * Not `/run/bofh` itself, where a file of a finished sequence counts as a leftover: these files
 * stay until the next boot.
 */
const directory = '/run/bofh/notes';

/**
 * Path of a file that records a change whose effect cannot prove the step. Only the step creates a
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
