import { bytesAt, partWitness } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { hasBothNames, type NewFile } from '../file/private-name.ts';

/** Returns the size of a file and a digest of both ends, to detect later changes. */
export async function fileWitness(host: ReadHost, path: string): Promise<string | undefined> {
  const own = await host.stat(path);
  if (own?.kind !== 'file') return undefined;
  return `${own.size}-${await partWitness(host, path, { from: 0, to: own.size }, bytesAt)}`;
}

/** Detects whether others wrote to the new file of a step after it was done. */
export const newFileContent = {
  lost: 'undone',
  of: 'device',
  witness: ({ undo: of, host }: At) => fileWitness(host, of.private),
  changed: async ({ undo: of, witness, host }: At & { readonly witness?: string | undefined }) => {
    if (!(await hasBothNames(host, of))) return undefined;
    return witness === undefined || (await fileWitness(host, of.private)) === witness
      ? undefined
      : { found: `others wrote to ${of.file}` };
  },
} as const;

interface At {
  readonly undo: NewFile;
  readonly host: ReadHost;
}
