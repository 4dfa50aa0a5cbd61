import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../errors.ts';
import type { Bytes } from '../units.ts';
import { blkidProbe, getSize, readsAsBlank } from './commands.ts';
import { deviceNode } from './node.ts';
import type { Signature } from './schema.ts';

export { classifyDevice, wipeSignatures } from './commands.ts';
export { holders } from './holders.ts';
export { identityOf, keysOf, splitLvmName } from './keys.ts';
export { locate } from './locate.ts';
export { type MountEntry, mountEntries, parseMountinfo } from './mountinfo.ts';
export { type DeviceNode, deviceNode } from './node.ts';
export { type Signature, signatureSchema } from './schema.ts';

/**
 * What a device holds: a filesystem, swap, a partition table, a member of a volume group or an array. Undefined: it
 * was looked at and is blank. CommandError `not-found` when there is no such device.
 */
export async function probe(host: ReadHost, device: string): Promise<Signature | undefined> {
  const { path } = await deviceNode(host, device);
  if ((await host.run(getSize(path))) === 0)
    throw new ParseError(`${device} is a device of no size: cannot tell what it holds`);
  const found = await host.run(blkidProbe(path));
  if (found === undefined) await host.run(readsAsBlank(path));
  return found;
}

/** Size of a device, in bytes. */
export async function size(host: ReadHost, device: string): Promise<Bytes> {
  return host.run(getSize((await deviceNode(host, device)).path));
}
