import { posix } from 'node:path';
import {
  bytesAt,
  deviceWitness,
  holders,
  identityOf,
  loopsBehind,
  refuseHeld,
  size,
} from '../blockdevice/index.ts';
import { follow, inShell, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Bytes } from '../core/units.ts';
import { fileWitness } from './file-witness.ts';
import { imageCheck, type ImageFormat, imageFormats, imageInfo, type Part } from './image-commands.ts';
import { partitionsIn } from './image-partitions.ts';
import { sourceFile } from './source.ts';

/** What the step copies onto a device: an image file, or another block device. */
export interface ImageSource {
  readonly path: string;
  readonly format: ImageFormat;
  readonly from: 'file' | 'device';
  /** Identity of the file or device, because its path may belong to another one later. */
  readonly identity: string;
  /** Size of the disk in the image, or of the partition. */
  readonly bytes: Bytes;
  /** The part of the disk to copy; undefined: all of it. */
  readonly partition?: { readonly number: number } & Part;
}

/**
 * Returns the format of an image from the name of its file; UsageError for an unknown ending. Never
 * guesses it from the content, which a guest may have written.
 */
export function formatOf(path: string): ImageFormat {
  const ending = posix.extname(path).toLowerCase();
  if (ending === '.img') return 'raw';
  const format = imageFormats.find((each) => ending === `.${each}`);
  if (format !== undefined) return format;
  throw new UsageError(`the format of ${path} is unknown: its name does not end with .raw, .img or .qcow2`, {
    remedy: 'rename the file after its format: .raw, .img or .qcow2',
  });
}

/**
 * Checks a source. UsageError for a file that is no such image, is truncated or encrypted, or needs
 * other files; RefusedError for a device or a file that is in use. `known`: an unchanged source is
 * not read again.
 */
export async function imageSource(
  host: ReadHost,
  {
    path,
    format,
    partition: number,
    known,
  }: Pick<ImageSource, 'path' | 'format'> & {
    readonly partition?: number | undefined;
    readonly known?: ImageSource | undefined;
  },
): Promise<ImageSource> {
  const now = await identified(host, path);
  if (now.from === 'device') {
    if (number !== undefined)
      throw new UsageError(`${path} is a block device, not an image file: use one of its partitions`, {
        remedy: `name one of them: bofh block partitions ${path}`,
      });
    if (format !== 'raw')
      throw new UsageError(`${path} is a block device: bofh reads only raw content from one, not ${format}`, {
        remedy: 'give the format raw, or copy the image into a file first',
      });
    await refuseUsed(host, path);
    return { path, format, ...now, bytes: await size(host, path) };
  }
  await refuseUsed(host, path);
  const same = known?.identity === now.identity ? known : undefined;
  if (same !== undefined && same.partition?.number === number) return same;
  const isWhole = same !== undefined && same.partition === undefined;
  const whole = isWhole ? same : { path, format, ...now, bytes: await checkFile(host, path, format) };
  if (number === undefined) return whole;
  const found = (await partitionsIn(host, whole))?.find((each) => each.number === number);
  if (found === undefined) throw new UsageError(`${path} has no partition ${number}`, { code: 'not-found' });
  const { from, bytes } = found;
  return { ...whole, bytes, partition: { number, from, bytes } };
}

/** RefusedError unless the source is still the same. */
export async function refuseReplaced(host: ReadHost, { path, identity }: ImageSource): Promise<void> {
  const now = await identified(host, path).catch((error: unknown) => {
    if (error instanceof UsageError) return undefined;
    throw error;
  });
  if (now?.identity === identity) return;
  throw new RefusedError(`${path} is missing or has changed`, {
    code: 'differs',
    remedy: `see what is there: ls -lL ${path}`,
  });
}

/**
 * Reads a device or a file, and throws RefusedError if it is in use afterwards, or was written to:
 * no lock of bofh stops `xl create`, losetup(8) or mount(8), and what was read would be a mixture
 * of old and new data.
 */
export async function readUnchanged<T>(host: ReadHost, path: string, read: () => Promise<T>): Promise<T> {
  const before = await witnessOf(host, path);
  const found = await read();
  await refuseUsed(host, path);
  if ((await witnessOf(host, path)).is === before.is) return found;
  throw new RefusedError(`${path} was written to while it was copied`, {
    code: 'differs',
    remedy:
      before.of === 'file'
        ? `see what writes to it: fuser --verbose ${inShell(path)}; end that, then run the command again`
        : `see what uses it: bofh block tree ${path}; end that, then run the command again; or copy a snapshot of it`,
  });
}

async function witnessOf(
  host: ReadHost,
  named: string,
): Promise<{ readonly of: 'file' | 'device'; readonly is: string | undefined }> {
  const { path, stat } = await follow(host, named);
  return stat?.kind === 'file'
    ? { of: 'file', is: await fileWitness(host, path) }
    : { of: 'device', is: await deviceWitness(host, path) };
}

/**
 * RefusedError for a device in use, and for a file behind a loop device in use: a guest or a mount
 * may write to it.
 */
async function refuseUsed(host: ReadHost, named: string): Promise<void> {
  const { path, stat } = await follow(host, named);
  const devices = stat?.kind === 'file' ? await loopsBehind(host, stat) : [path];
  for (const device of devices) await refuseHeld(host, device, await holders(host, device));
}

async function identified(host: ReadHost, path: string): Promise<Pick<ImageSource, 'from' | 'identity'>> {
  if ((await follow(host, path)).stat?.kind === 'block')
    return { from: 'device', identity: (await identityOf(host, path)).identity };
  const { inode, size: length } = await sourceFile(host, path);
  return { from: 'file', identity: `file:${inode}:${length}` };
}

async function checkFile(host: ReadHost, path: string, format: ImageFormat): Promise<Bytes> {
  const { size: length } = await sourceFile(host, path);
  if (length === 0) throw new UsageError(`${path} is empty`);
  if (format === 'raw') {
    const start = await host.run(bytesAt(path, { from: 0, count: Math.min(512, length) }));
    if (Buffer.from(start.buffer, start.byteOffset, 4).equals(qcow2Magic))
      throw new UsageError(`${path} is a qcow2 image, not a raw one`, {
        remedy: option(
          'rename it to end with .qcow2; then: --source image:FILE.qcow2',
          "give its format: { type: 'image', path, format: 'qcow2' }",
        ),
      });
    return length;
  }
  const { bytes, others, encrypted } = await host.run(imageInfo(path, format)).catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    throw new UsageError(`${path} cannot be read as a ${format} image: ${error.stderr.trim()}`, {
      cause: error,
      remedy: `see what it is: qemu-img info ${path}`,
    });
  });
  // The creator of an image could name any file of this host.
  if (others.length > 0)
    throw new UsageError(`${path} needs other files: ${others.join(', ')}`, {
      remedy: `convert it into a single image: qemu-img convert -O qcow2 ${path} NEW.qcow2`,
    });
  if (encrypted)
    throw new UsageError(`${path} is encrypted`, {
      remedy: 'decrypt it into another image with qemu-img convert, and name the new image',
    });
  if ((await host.run(imageCheck(path))) === 'whole') return bytes;
  throw new UsageError(`${path} is damaged or truncated`, {
    remedy: `copy or create it again; for details: qemu-img check ${path}`,
  });
}

const qcow2Magic = Buffer.from('QFI\xfb', 'latin1');
