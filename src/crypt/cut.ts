import { sizeTooSmall, everyHolder, holders, reachOf, usersBeyond } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type Holder, UsageError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { Mapping } from './schema.ts';

/**
 * RefusedError unless the content of an open device and all its holders are known to end below a
 * size.
 */
export async function refuseCut(host: ReadHost, { path }: Mapping, to: Bytes): Promise<void> {
  const users = await usersBeyond(host, path, to);
  if (users.length > 0) throw sizeTooSmall(path, to, users);
}

/**
 * Like `refuseCut`, and UsageError if the content does not report its end and the user did not
 * confirm the loss.
 */
export async function refuseLoss(
  host: ReadHost,
  mapping: Mapping,
  {
    to,
    shrink,
    inUse,
  }: {
    readonly to: Bytes;
    readonly shrink: 'lose the data beyond the new size' | undefined;
    readonly inUse: boolean;
  },
): Promise<void> {
  await refuseCut(host, mapping, to);
  const { path, size } = mapping;
  const reach = await reachOf(host, path);
  if (reach !== undefined && reach.bytes !== 'unknown' && reach.bytes <= to) return;
  if (shrink === undefined)
    throw new UsageError(
      `${path} has ${formatSize(size)}: everything after the first ${formatSize(to)} would be lost`,
      { remedy: `shrink its content first; then resize({ …, shrink: 'lose the data beyond the new size' })` },
    );
  if (inUse) await refuseOpened(host, path, to);
}

/**
 * RefusedError if a process has opened the device itself, which the kernel does not list as a
 * holder.
 */
async function refuseOpened(host: ReadHost, path: string, to: Bytes): Promise<void> {
  if ((await holders(host, path)).length > 0) return;
  const found = await everyHolder(host, path);
  const unnamed: Holder = { kind: 'unknown', words: `open (fuser -v ${path})` };
  throw sizeTooSmall(path, to, found.length === 0 ? [unnamed] : found);
}
