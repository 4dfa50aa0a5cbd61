import { blkdiscard } from '../blockdevice/destroy/commands.ts';
import { deviceNode, namingHolders, size as sizeAt } from '../blockdevice/index.ts';
import type { ChangeHost, Command } from '../command/index.ts';
import { ParseError, RefusedError } from '../errors.ts';
import type { Bytes } from '../units.ts';
import type { LogicalVolume } from './schema.ts';

/** Writes a whole volume, which was just made, with zeros. The device may do so by itself, and at once (blkdiscard(8)). */
export async function writeZeros(
  host: ChangeHost,
  { fullName, dmPath, size }: Pick<LogicalVolume, 'fullName' | 'dmPath' | 'size'>,
): Promise<void> {
  const { path } = await deviceNode(host, dmPath);
  if ((await sizeAt(host, path)) !== size)
    throw new RefusedError(`${dmPath} is not as large as ${fullName}; nothing was written to it`, {
      remedy: `look what it is: lsblk ${dmPath}`,
    });
  await namingHolders(host, path, () => host.run(zeros(path, size)));
}

/** Its own words tell how much it has done, and only all of it is enough. */
function zeros(device: string, size: Bytes): Command<void, 'destroy'> {
  return {
    ...blkdiscard(device, 'zero', { offset: 0, length: size, size }),
    parse: ({ stdout }) => {
      const parts = [...stdout.matchAll(/: Zero-filled (?<bytes>\d+) bytes from the offset \d+$/gm)];
      const done = parts.reduce((sum, { groups }) => sum + Number(groups?.['bytes']), 0);
      if (done !== size) throw new ParseError(`${String(done)} bytes of ${String(size)} were zeroed`);
    },
  };
}
