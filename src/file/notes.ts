import type { ChangeHost } from '../command/index.ts';

/**
 * Not `/run/bofh` itself, where a file of a finished sequence counts as a leftover: these stay
 * until the next boot.
 */
const directory = '/run/bofh/notes';

/**
 * A file that represents a change without an effect on the host: only the step creates this name.
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
