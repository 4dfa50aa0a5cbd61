import { crc32 } from 'node:zlib';
import { guidBytes } from '../../../blockdevice/partitions/regions.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { type Device, openers } from '../../world/devices.ts';
import type { Content, Superblock } from '../../world/parts.ts';
import { storageOf } from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import { emptyTree, file, plant } from '../../world/tree.ts';
import { copyContent } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { magicsOf } from '../blockdevice/magics.ts';
import { withTable } from '../blockdevice/sectors.ts';
import { present } from '../../../core/present.ts';

/** qemu-img and qemu-io (qemu 7.2): read and compare disk images, and copy them onto devices. */
export const imageCopyTools: Readonly<Record<string, ToolModel>> = { 'qemu-img': qemuImg, 'qemu-io': qemuIo };

type Answer = ReturnType<ToolModel>;

function qemuImg(call: ToolCall): Answer {
  const [verb = '', ...argv] = call.argv;
  const options = readOptions(
    { ...call, argv },
    { flags: ['-p', '-n', '--image-opts'], values: ['-f', '-F', '-O', '-t', '-T', '--output'] },
  );
  const [word = '', to = '', ...more] = options.words;
  const part = options.flags.has('--image-opts') ? partIn(call, word) : undefined;
  const source = part?.path ?? word;
  const target = part === undefined ? to : to.replace(/^.*filename=/, '');
  const image = imageAt(call, source, part?.format ?? one(options, '-f'), part);
  if (typeof image === 'string') return failed(1, `qemu-img: Could not open '${source}': ${image}`);
  if (more.length > 0 || one(options, '-O') === 'qcow2') throw unmodelled(call, 'it reads one image');
  if (verb === 'info') return ok(JSON.stringify(infoOf(image, source), null, 4));
  if (verb === 'check') return check(image);
  if (verb === 'convert' && !options.flags.has('-n')) throw unmodelled(call, 'it creates no file');
  const device = deviceAt(call.world, target);
  if (device === undefined)
    return failed(
      1,
      `qemu-img: Could not open '${target}': Could not open '${target}': No such file or directory`,
    );
  if (verb === 'compare') return compare(call, image, device);
  if (verb === 'convert') return convert(call, image, device);
  throw unmodelled(call, 'it knows info, check, compare and convert -n');
}

interface Image {
  readonly size: number;
  readonly content: Content;
  readonly qcow2?: Qcow2;
}

/** Returns the disk in an image, or as text why it cannot be opened. */
function imageAt(
  call: ToolCall,
  path: string,
  format: string | undefined,
  part?: { readonly from: number },
): Image | string {
  const { world } = call;
  const there = resolve(world, path, 'follow');
  if (!there.found) return `Could not open '${path}': No such file or directory`;
  if (format === 'qcow2') {
    const qcow2 = readQcow2(there.inode.content);
    if (qcow2 === undefined) return 'Image is not in qcow2 format';
    const found = qcow2.partitions?.find(({ from }) => from === part?.from);
    if (found !== undefined) return { size: found.size, content: contentOf(found), qcow2 };
    return { size: qcow2.size, content: diskOf(qcow2), qcow2 };
  }
  if (part !== undefined) throw unmodelled(call, 'it knows only partitions of qcow2 images');
  const device = deviceAt(world, path);
  if (device !== undefined) return { size: device.size, content: world.live.get(device.storage) ?? {} };
  return { size: there.inode.length ?? there.inode.content?.length ?? 0, content: {} };
}

/** Parses `driver=raw,offset=…`: a part of the disk in an image. */
function partIn(call: ToolCall, word: string) {
  const { from, format, path } =
    /^driver=raw,offset=(?<from>\d+),size=\d+,(?:file\.driver=(?<format>qcow2),)?(?:file\.)+driver=file,(?:file\.)+filename=(?<path>.*)$/.exec(
      word,
    )?.groups ?? {};
  if (path === undefined) throw unmodelled(call, 'it knows a part of an image in a file');
  return { from: Number(from), format: format ?? 'raw', path: path.replaceAll(',,', ',') };
}

function qemuIo(call: ToolCall): Answer {
  const options = readOptions(call, { flags: ['--read-only'], values: ['-f', '-c'] });
  const [path = '', ...more] = options.words;
  const { from, count } = /^read -v (?<from>\d+) (?<count>\d+)$/.exec(one(options, '-c') ?? '')?.groups ?? {};
  if (more.length > 0 || from === undefined) throw unmodelled(call, 'it reads bytes of one image');
  const format = one(options, '-f');
  const image = imageAt(call, path, format);
  if (typeof image === 'string') return failed(1, `qemu-io: can't open device ${path}: ${image}`);
  const there = resolve(call.world, path, 'follow');
  const raw = there.found && format === 'raw' ? there.inode.content : undefined;
  const content =
    format === 'raw' && there.found ? call.world.live.get(storageOf(call.world, there)) : image.content;
  const bytes = bytesOf(image, { content, raw, from: Number(from), count: Number(count) });
  if (bytes === undefined) return failed(1, '', 'read failed: Input/output error\n');
  const lines = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, at) => {
    const row = bytes.subarray(at * 16, at * 16 + 16);
    const hex = [...row].map((byte) => `${byte.toString(16).padStart(2, '0')} `).join('');
    const shown = row.toString('latin1').replaceAll(/[^!-~]/g, '.');
    return `${(Number(from) + at * 16).toString(16).padStart(8, '0')}:  ${hex} ${shown}\n`;
  });
  return ok(
    `${lines.join('')}read ${count}/${count} bytes at offset ${from}\n${count} bytes, 1 ops; 00.00 sec (1 MiB/sec and 1 ops/sec)\n`,
  );
}

/**
 * Returns bytes of the disk in an image: those of the file, its partition table, and the signatures
 * of its content.
 */
function bytesOf(
  { size, qcow2 }: Image,
  of: {
    readonly content: Content | undefined;
    readonly raw: Uint8Array | undefined;
    readonly from: number;
    readonly count: number;
  },
): Buffer | undefined {
  const { content, raw, from, count } = of;
  if (from + count > size) return undefined;
  const bytes = Buffer.alloc(count);
  const lay = (at: number, part: Uint8Array): void => {
    for (const [n, byte] of part.entries())
      if (at + n >= from && at + n < from + count) bytes[at + n - from] = byte;
  };
  if (raw !== undefined) lay(0, raw.subarray(0, from + count));
  if (qcow2?.partitions !== undefined) lay(0, gptBytes(size, qcow2.partitions));
  const contents = [
    { from: 0, content },
    ...(qcow2?.partitions ?? []).map((each) => ({ from: each.from, content: contentOf(each) })),
  ];
  for (const each of contents)
    for (const { offset, bytes: hex } of magicsOf(each.content))
      lay(each.from + offset, Buffer.from(hex, 'hex'));
  return bytes;
}

/** Returns a protective MBR, the header of a gpt and its entries (UEFI 2.10, 5.3). */
function gptBytes(size: number, partitions: NonNullable<Qcow2['partitions']>): Buffer {
  const bytes = Buffer.alloc(34 * 512);
  bytes.set([0xee], 450);
  bytes.writeUInt16LE(0xaa55, 510);
  for (const [at, { type, uuid, from, size: length }] of partitions.entries()) {
    const entry = bytes.subarray(1024 + at * 128);
    entry.set(guidBytes(type), 0);
    entry.set(guidBytes(uuid), 16);
    entry.writeBigUInt64LE(BigInt(from / 512), 32);
    entry.writeBigUInt64LE(BigInt((from + length) / 512 - 1), 40);
  }
  const header = bytes.subarray(512, 512 + 92);
  header.write('EFI PART\0\0\x01\0', 'latin1');
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(size / 512 - 1), 32);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(128, 80);
  header.writeUInt32LE(128, 84);
  header.writeUInt32LE(crc32(bytes.subarray(1024)), 88);
  header.writeUInt32LE(crc32(header), 16);
  return bytes;
}

/** The content of the whole disk in an image: its partition table, without what the partitions contain. */
function diskOf(image: Qcow2): Content {
  const { size, partitions } = image;
  if (partitions === undefined) return contentOf(image);
  const entries = partitions.map(({ from, size: length, type, uuid }, at) => ({
    ...{ number: at + 1, start: from / 512, size: length / 512, type, uuid },
  }));
  return withTable({}, size, { type: 'gpt', id: partitions[0]?.uuid ?? '', partitions: entries });
}

function contentOf({ superblock, files = {} }: Pick<Qcow2, 'superblock' | 'files'>): Content {
  if (superblock === undefined) return {};
  const tree = emptyTree();
  for (const [path, content] of Object.entries(files)) plant(tree, path, file(content));
  return { superblock, tree };
}

function infoOf({ size, qcow2 }: Image, filename: string): object {
  if (qcow2 === undefined) return { 'virtual-size': size, filename, format: 'raw', 'dirty-flag': false };
  const { backing, dataFile, encrypted } = qcow2;
  return {
    ...present({ 'backing-filename': backing }),
    ...{ 'virtual-size': size, filename, 'cluster-size': 65_536, format: 'qcow2' },
    'format-specific': {
      type: 'qcow2',
      data: { compat: '1.1', ...present({ 'data-file': dataFile }) },
    },
    ...present({ encrypted }),
    'dirty-flag': false,
  };
}

function check({ qcow2 }: Image): Answer {
  if (qcow2?.truncated !== true) return ok(JSON.stringify({ 'check-errors': 0 }));
  return { exitCode: 2, stdout: JSON.stringify({ 'check-errors': 0, corruptions: 11 }), stderr: 'ERROR\n' };
}

function compare({ world }: ToolCall, { size, content }: Image, device: Device): Answer {
  const warning = size === device.size ? '' : 'Warning: Image size mismatch!\n';
  const there = world.live.get(device.storage) ?? {};
  const isSame = JSON.stringify(shown(content)) === JSON.stringify(shown(there));
  if (isSame) return ok(`${warning}Images are identical.\n`);
  return { exitCode: 1, stdout: `${warning}Content mismatch at offset 1024!\n`, stderr: '' };
}

function shown({ superblock, changes, sectors, luks }: Content): unknown {
  return [superblock, changes, [...(sectors ?? [])], luks];
}

function convert({ world }: ToolCall, { size, content }: Image, device: Device): Answer {
  if (size > device.size) return failed(1, 'qemu-img: output file is smaller than input file');
  if (openers(world, device.number).some((each) => each.startsWith('mounted')))
    return failed(1, `qemu-img: Could not open '/dev/${device.name}': Device or resource busy`);
  world.live.set(device.storage, copyContent(content));
  return ok('    (0.00/100%)\r    (100.00/100%)\r\n');
}

/** A simulated qcow2 image. */
export interface Qcow2 {
  /** Size of the disk in it, in bytes. */
  readonly size: number;
  /** The content of that disk as blkid reports it. */
  readonly superblock?: Superblock;
  /** Files of its filesystem: content by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly backing?: string;
  readonly dataFile?: string;
  readonly encrypted?: true;
  readonly truncated?: true;
  /** A gpt, with the content of each partition; `from` and `size` are in bytes. */
  readonly partitions?: readonly (Pick<Qcow2, 'size' | 'superblock' | 'files'> & {
    readonly from: number;
    readonly type: string;
    readonly uuid: string;
  })[];
}

const magic = 'QFI\xfb simulated\n';

/** Returns the content of a file that the simulated qemu-img reads as a qcow2 image. */
export function qcow2(image: Qcow2): Uint8Array {
  return Buffer.from(magic + JSON.stringify(image), 'latin1');
}

/** Parses an image. Returns undefined if the content is not a simulated qcow2 image. */
function readQcow2(content: Uint8Array | undefined): Qcow2 | undefined {
  const text = Buffer.from(content ?? []).toString('latin1');
  return text.startsWith(magic) ? (JSON.parse(text.slice(magic.length)) as Qcow2) : undefined;
}
