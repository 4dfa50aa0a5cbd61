import { inShell } from '../command/index.ts';
import { ensurable, incomparable } from '../atomic/ensure.ts';
import { sizeOrZero } from '../core/request.ts';
import { parseSize } from '../core/units.ts';
import { overlap } from './loop/attach.ts';
import { loopDevices } from './loop/reads.ts';
import * as operations from './operations.ts';

/** Creates an image file, or does nothing if one with this size and mode exists. */
export const createImage = ensurable(operations.createImage, async (host, { file, size, mode, room }) => {
  if (room !== undefined) throw incomparable('room', 'a file does not say how it was created');
  const stat = await host.stat(file);
  if (stat === undefined) return undefined;
  const bytes = parseSize(size);
  return {
    what: `the ${stat.kind} ${file}`,
    keys: [`file:${file}`],
    compared: { kind: ['file', stat.kind], size: [bytes, stat.size], mode: [mode, stat.mode] },
    value: { file, size: bytes },
    show: `stat ${inShell(file)}`,
  };
});

/**
 * Attaches a file to a loop device, or does nothing if it is attached with these options. Compares
 * file, offset, size, mode, partitions and sectorSize; a device that detaches itself at its last
 * close also differs.
 */
export const attachLoop = ensurable(operations.attachLoop, async (host, args) => {
  const { file, mode, partitions, sectorSize } = args;
  const stat = await host.stat(file);
  if (stat === undefined) return undefined;
  const asked = {
    offset: sizeOrZero(args.offset ?? 0),
    limit: args.size === undefined ? 0 : parseSize(args.size),
  };
  const attached = (await loopDevices(host)).filter(
    (loop) => loop.inode === stat.inode && loop.filesystem === stat.device,
  );
  // Several parts of a file may be attached, if they share no byte or are read-only.
  const loop =
    attached.find(({ offset, limit }) => offset === asked.offset && limit === asked.limit) ??
    attached.find((each) => overlap(each, asked) && (each.mode === 'rw' || mode !== 'ro'));
  if (loop === undefined) return undefined;
  return {
    what: `${loop.device} of ${file}`,
    keys: [`file:${file}`, `dev:loop:${stat.device}:${stat.inode}`],
    compared: {
      offset: [asked.offset, loop.offset],
      size: [asked.limit, loop.limit],
      mode: [mode, loop.mode],
      partitions: [partitions, loop.partitions],
      sectorSize: [sectorSize, loop.sectorSize],
      detached: ['on request', loop.autoclear ? 'at the last close' : 'on request'],
    },
    value: { device: loop.device, number: loop.number },
    show: 'losetup --list',
  };
});
