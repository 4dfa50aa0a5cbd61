import { blkdiscard } from '../blockdevice/destroy/commands.ts';
import { deviceNode, namingHolders, size as sizeAt } from '../blockdevice/index.ts';
import type { ChangeHost, Command } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import type { LogicalVolume } from './objects.ts';

/**
 * Fills a new or extended part of a volume with zeros. Some devices do this themselves, at once
 * (blkdiscard(8)).
 */
export async function writeZeros(
  host: ChangeHost,
  { fullName, dmPath, size }: Pick<LogicalVolume, 'fullName' | 'dmPath' | 'size'>,
  from: Bytes = 0,
): Promise<void> {
  const { path } = await deviceNode(host, dmPath);
  if ((await sizeAt(host, path)) !== size)
    throw new RefusedError(`${dmPath} is not as large as ${fullName}; nothing was written to it`, {
      remedy: `see what it is: lsblk ${dmPath}`,
    });
  await namingHolders(host, path, () => host.run(zeros(path, { from, size })));
}

/** Builds the command. Its output shows how much was written; less than all of it is an error. */
function zeros(
  device: string,
  { from, size }: { readonly from: Bytes; readonly size: Bytes },
): Command<void, 'destroy'> {
  const length = size - from;
  return {
    ...blkdiscard(device, 'zero', { offset: from, length, size }),
    parse: ({ stdout }) => {
      const parts = [...stdout.matchAll(/: Zero-filled (?<bytes>\d+) bytes from the offset \d+$/gm)];
      const done = parts.reduce((sum, { groups }) => sum + Number(groups?.['bytes']), 0);
      if (done !== length)
        throw new ParseError(`only ${String(done)} of ${String(length)} bytes were zeroed`);
    },
  };
}
