import { bytesAt, partWitness } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';

/** Tells later changes of a new file: its size, and both ends of its content. */
export async function witnessOf(
  host: ReadHost,
  { private: path }: { readonly private: string },
): Promise<string | undefined> {
  const own = await host.stat(path);
  if (own?.kind !== 'file') return undefined;
  return `${own.size}-${await partWitness(host, path, { from: 0, to: own.size }, bytesAt)}`;
}
