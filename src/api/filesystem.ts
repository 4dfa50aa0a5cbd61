import { currentBofh, single } from '../bofh.ts';
import { probe as probeDevice, type Signature } from '../blockdevice/index.ts';
import type { Tx } from '../operations.ts';

/** What a device holds; undefined when it was looked at and is blank. */
export async function probe(device: string): Promise<Signature | undefined> {
  return probeDevice(currentBofh().host, device);
}

/** Makes a filesystem or swap area on a device: a sequence of one. */
export async function create(
  args: Parameters<Tx['filesystem']['create']>[0],
): ReturnType<Tx['filesystem']['create']> {
  return single('filesystem.create', (tx) => tx.filesystem.create(args));
}
