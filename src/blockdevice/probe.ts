import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../errors.ts';
import { blkidProbe, readsAsBlank } from './commands.ts';
import { deviceNode, sizeOf } from './node.ts';
import type { Signature } from './schema.ts';

/**
 * What a device holds: a filesystem, swap, a partition table, a member of a volume group or an array. Undefined: it
 * was looked at and is blank. CommandError `not-found` when there is no such device.
 */
export async function probe(host: ReadHost, device: string): Promise<Signature | undefined> {
  const found = await recognise(host, device);
  if (found === undefined) await host.run(readsAsBlank((await deviceNode(host, device)).path));
  return found;
}

/**
 * The same, but undefined also of a device that gives nothing but I/O errors: for a second look at one that `probe`
 * has found readable, or with `readsAsBlank` after it.
 */
export async function recognise(host: ReadHost, device: string): Promise<Signature | undefined> {
  const node = await deviceNode(host, device);
  if ((await sizeOf(host, node)) === 0)
    throw new ParseError(`${device} is a device of no size: cannot tell what it holds`);
  return host.run(blkidProbe(node.path));
}
