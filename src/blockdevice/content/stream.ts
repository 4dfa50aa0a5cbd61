import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { bytesAt } from '../bytes-at.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { firstPart } from './unseen.ts';

/** `btrfs-stream` and a NUL (fs/btrfs/send.h): the start of a stream of `btrfs send`. */
export const streamMagic = 'btrfs-stream\0';

/** Whether a device that looks blank contains a btrfs stream, which blkid does not recognise. */
export async function hasStream(host: ReadHost, device: string): Promise<boolean> {
  const node = await deviceNode(host, device);
  // Where the look has read the part that `unseen` reads, this starts no program.
  const count = Math.min(firstPart, await sizeOf(host, node));
  const { buffer } = await host.run(bytesAt(node.path, { from: 0, count }));
  return Buffer.from(buffer, 0, streamMagic.length).toString('latin1') === streamMagic;
}

/** RefusedError for a device with a stream: it may be the only backup. */
export async function refuseStream(host: ReadHost, device: string): Promise<void> {
  if (!(await hasStream(host, device))) return;
  throw new RefusedError(`${device} holds a stream of btrfs send; nothing was written`, {
    code: 'has-data',
    remedy: `to keep it: bofh btrfs receive ${device} --into DIR; to erase it: bofh block zero ${device} --overwrite blank`,
  });
}
