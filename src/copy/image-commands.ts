import * as z from 'zod/mini';
import {
  type Answer,
  type Command,
  errnoReason,
  nothing,
  type ReadCommand,
  stderrAlone,
} from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** Formats of a disk image. */
export const imageFormats = ['raw', 'qcow2'] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** A part of the disk in an image. */
export interface Part {
  readonly from: Bytes;
  readonly bytes: Bytes;
}

/** An image, as its header describes it. */
export interface ImageInfo {
  /** Size of the disk in the image. */
  readonly bytes: Bytes;
  /** Other files that contain parts of the disk. */
  readonly others: readonly string[];
  readonly encrypted: boolean;
}

const info = z.object({
  'virtual-size': z.int().check(z.nonnegative()),
  format: z.enum(imageFormats),
  encrypted: z.exactOptional(z.boolean()),
  'backing-filename': z.exactOptional(z.string()),
  'format-specific': z.exactOptional(
    z.object({
      data: z.object({ 'data-file': z.exactOptional(z.string()), encrypt: z.optional(z.unknown()) }),
    }),
  ),
});

/**
 * `qemu-img info`. Always names the format, because a guest can write any header into a raw image.
 */
export function imageInfo(path: string, format: ImageFormat): ReadCommand<ImageInfo> {
  return {
    tool: 'qemu-img',
    argv: ['info', '-f', format, '--output', 'json', path],
    access: 'read',
    parse: ({ stdout }) => {
      const read = info.parse(JSON.parse(stdout));
      if (read.format !== format)
        throw new ParseError(`qemu-img: the format is ${read.format}, not ${format}`);
      const data = read['format-specific']?.data;
      return {
        bytes: read['virtual-size'],
        others: [read['backing-filename'] ?? [], data?.['data-file'] ?? []].flat(),
        encrypted: read.encrypted === true || data?.encrypt !== undefined,
      };
    },
    classify,
  };
}

/**
 * `qemu-img check`: whether all clusters of a qcow2 image exist. `qemu-img convert` exits with 0
 * for a truncated image, and copies zeros for the missing part (qemu 7.2). Exit code 3: some space
 * is only wasted.
 */
export function imageCheck(path: string): ReadCommand<'whole' | 'damaged'> {
  return {
    tool: 'qemu-img',
    argv: ['check', '-f', 'qcow2', '--output', 'json', path],
    access: 'read',
    accepts: [0, 2, 3],
    timeoutMs: 30 * 60_000,
    parse: ({ exitCode, stdout }) => {
      const found = z
        .object({ 'check-errors': z.literal(0), corruptions: z.exactOptional(z.int()) })
        .parse(JSON.parse(stdout));
      if ((found.corruptions ?? 0) > 0 !== (exitCode === 2))
        throw new ParseError(`qemu-img: exit ${exitCode} for ${found.corruptions ?? 0} corruptions`);
      return exitCode === 2 ? 'damaged' : 'whole';
    },
    classify,
  };
}

/** Reads bytes of the disk in an image with `qemu-io`, also compressed ones. */
export function imageBytes(
  path: string,
  format: ImageFormat,
  { from, bytes }: Part,
): ReadCommand<Buffer<ArrayBuffer>> {
  return {
    tool: 'qemu-io',
    argv: ['--read-only', '-f', format, '-c', `read -v ${from} ${bytes}`, path],
    access: 'read',
    shownOf: stderrAlone,
    parse: ({ stdout }) => {
      const lines = stdout.split('\n');
      const end = lines.indexOf(`read ${bytes}/${bytes} bytes at offset ${from}`);
      const hex = lines
        .slice(0, end)
        .map((line) => /^[0-9a-f]{8,}:  ((?:[0-9a-f]{2} ){1,16})/.exec(line)?.[1]);
      const read = Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
      if (end < 0 || hex.includes(undefined) || read.length !== bytes)
        throw new ParseError(`qemu-io: ${read.length} bytes were read, not ${bytes}`);
      return read;
    },
    classify,
  };
}

/** Describes an image, or a part of the disk in it, for qemu-img. */
function opened(source: string, format: ImageFormat, { from, bytes }: Part): string {
  const file = format === 'raw' ? 'file.' : 'file.file.';
  const inner = format === 'raw' ? '' : `file.driver=${format},`;
  const name = source.replaceAll(',', ',,');
  return `driver=raw,offset=${from},size=${bytes},${inner}${file}driver=file,${file}filename=${name}`;
}

/**
 * `qemu-img convert` onto an existing device, in the order of its bytes, bypassing the page cache.
 * `-n`: does not create the target. Writes zeros too, because the target may have old data.
 */
export function imageConvert(options: {
  readonly source: string;
  readonly format: ImageFormat;
  /**
   * A block device is read bypassing the page cache too, because a guest has written to it
   * directly.
   */
  readonly from: 'file' | 'device';
  readonly part?: Part | undefined;
  readonly device: string;
}): Command<void, 'change'> {
  const { source, format, from, part, device } = options;
  return {
    tool: 'qemu-img',
    argv: [
      ...['convert', '-p', '-n', ...(part === undefined ? ['-f', format] : ['--image-opts'])],
      ...['-O', 'raw', '-t', 'none', ...(from === 'device' ? ['-T', 'none'] : [])],
      ...[part === undefined ? source : opened(source, format, part), device],
    ],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
    progress: (output) => {
      const last = [...output.matchAll(/\((?<percent>\d+\.\d\d)\/100%\)/g)].at(-1)?.groups?.percent;
      return last === undefined ? undefined : Math.min(1, Number(last) / 100);
    },
  };
}

/**
 * `qemu-img compare`: returns the first byte, at the start of a sector or of a larger piece, at
 * which a device differs from an image. Undefined: they are equal, except for zeros at the end of
 * the longer one.
 */
export function imageCompare(options: {
  readonly source: string;
  readonly format: ImageFormat;
  readonly part?: Part | undefined;
  readonly device: string;
}): ReadCommand<Bytes | undefined> {
  const { source, format, part, device } = options;
  return {
    tool: 'qemu-img',
    argv:
      part === undefined
        ? ['compare', '-f', format, '-F', 'raw', '-T', 'none', source, device]
        : [
            ...['compare', '--image-opts', '-T', 'none', opened(source, format, part)],
            `driver=raw,file.driver=host_device,file.filename=${device.replaceAll(',', ',,')}`,
          ],
    access: 'read',
    accepts: [0, 1],
    timeoutMs: 30 * 60_000,
    parse: ({ exitCode, stdout }) => {
      const lines = stdout.split('\n').filter((line) => line !== 'Warning: Image size mismatch!');
      const at = /^Content mismatch at offset (?<at>\d+)!$/.exec(lines[0] ?? '')?.groups?.at;
      if (exitCode === 1 && at !== undefined) return Number(at);
      if (exitCode === 0 && lines[0] === 'Images are identical.') return undefined;
      throw new ParseError(`qemu-img: cannot read the answer ${JSON.stringify(stdout)}`);
    },
    classify,
  };
}

/** Finds why qemu-img failed, in the C locale (qemu 7.2 and 10.0). */
function classify(answer: Answer): Reason {
  if (/output file is smaller than input file/.test(answer.stderr)) return 'no-space';
  return /Failed to (?:get|lock)/.test(answer.stderr) ? 'busy' : errnoReason(answer);
}
