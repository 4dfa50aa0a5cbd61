import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { type Device, openers } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { Content, Magic } from '../../world/parts.ts';
import { current, firstPart } from '../../world/drbd.ts';
import { resolve } from '../../world/resolve.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { contentOf, imageOf } from './compressed.ts';
import { deviceAt } from './device-at.ts';
import { luksBytes } from '../crypt/text.ts';
import { luksOffset } from '../crypt/luks.ts';
import { metadataBlock, withMetadataBytes } from '../drbd/bytes.ts';
import { laySectors, tableIn, withBytes, withoutSectors } from './sectors.ts';

/** wipefs, blkdiscard (util-linux 2.38) and dd, for the bytes of signatures. */
export const magicTools: Readonly<Record<string, ToolModel>> = { blkdiscard, dd, wipefs };

/** The offset and bytes of the signatures of each type, as wipefs erases them. */
const places: Readonly<Record<string, readonly (readonly [offset: number, bytes: string])[]>> = {
  ext2: [[0x438, '53ef']],
  ext3: [[0x438, '53ef']],
  ext4: [[0x438, '53ef']],
  xfs: [[0, '58465342']],
  btrfs: [[0x10040, '5f42485266535f4d']],
  vfat: [
    [0, 'eb'],
    [0x36, '4641543136202020'],
    [0x1fe, '55aa'],
  ],
  swap: [[0xff6, '53574150535041434532']],
  LVM2_member: [[0x218, '4c564d3220303031']],
  crypto_LUKS: [
    [0, '4c554b53babe'],
    [0x4000, '534b554cbabe'],
  ],
};

/** Returns the signatures that wipefs finds. */
export function magicsOf(content: Content | undefined, size = 0): readonly Magic[] {
  if (content === undefined) return [];
  const { superblock, real, erased } = content;
  const table = tableIn(content, size);
  if (table !== undefined) {
    const of = (type: string, offset: number, bytes: string): Magic => ({
      ...{ offset, bytes, type },
      ...{ usage: 'partition-table', uuid: null },
    });
    if (table.type === 'dos') return [of('dos', 0x1fe, '55aa')];
    const header = '4546492050415254';
    return [of('PMBR', 0x1fe, '55aa'), of('gpt', 0x200, header), of('gpt', size - 512, header)];
  }
  if (real !== undefined) return real.magics;
  if (erased !== undefined)
    return magicsOf(erased.content).filter(({ offset }) => !erased.offsets.includes(offset));
  if (superblock === undefined) return [];
  const { type, usage, uuid = null, version } = superblock;
  if (content.metadata !== undefined) {
    const { at, beneath: rest } = content.metadata;
    return [...magicsOf(rest, size), { offset: at + 60, bytes: '8374026b', type, usage, uuid }];
  }
  const all = places[type] ?? [[0, '0102030405060708']];
  const here = type === 'crypto_LUKS' && version === '1' ? all.slice(0, 1) : all;
  return here.map(([offset, bytes]) => ({ offset, bytes, type, usage, uuid }));
}

/**
 * Returns whole blocks of 4 KiB: the signatures, and between them bytes that are unique for each
 * content.
 */
export function blocksOf(content: Content | undefined, from: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = beneath(content, from, count);
  if (content !== undefined) laySectors(content, bytes, from);
  return bytes;
}

function beneath(content: Content | undefined, from: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  if (content === undefined) return bytes;
  const { superblock, real, erased } = content;
  if (erased !== undefined) {
    bytes.set(blocksOf(erased.content, from, count));
    for (const { offset, bytes: hex } of magicsOf(erased.content))
      if (erased.offsets.includes(offset)) lay(bytes, offset - from, new Uint8Array(hex.length / 2));
    return bytes;
  }
  if (real !== undefined) {
    for (const [offset, block] of real.blocks) lay(bytes, offset - from, block);
    return bytes;
  }
  if (superblock === undefined) return bytes;
  if (content.metadata !== undefined) {
    bytes.set(blocksOf(content.metadata.beneath, from, count));
    lay(bytes, content.metadata.at - from, metadataBlock(content));
    return bytes;
  }
  const { type, uuid, label, blocks, blockSize = 4096, version } = superblock;
  if (type === 'crypto_LUKS') {
    const of = { slots: [], ...content.luks, uuid: uuid ?? '', version: version === '1' ? 1 : 2 } as const;
    bytes.set(blocksOf(content.payload, from, count));
    bytes.fill(0, 0, Math.max(0, luksOffset[of.version] - from));
    const header = luksBytes(of);
    if (from < header.length) bytes.set(header.subarray(from, from + count));
    return bytes;
  }
  const end = blocks === undefined ? Infinity : blocks * blockSize;
  const own = createHash('sha256')
    .update(JSON.stringify([type, uuid, label, content.changes]))
    .digest();
  for (let at = 0; at + 0x820 <= count && from + at < end; at += 4096) bytes.set(own, at + 0x800);
  for (const { offset, bytes: hex } of magicsOf(content)) lay(bytes, offset - from, Buffer.from(hex, 'hex'));
  return bytes;
}

function lay(onto: Uint8Array, at: number, bytes: Uint8Array): void {
  if (at >= 0 && at + bytes.length <= onto.length) onto.set(bytes, at);
}

function wipefs(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['--all', '--json'], values: ['--types', '--output'] });
  const [path = '', ...more] = options.words;
  const isList = options.flags.has('--json') && !options.flags.has('--all');
  if (isList && one(options, '--output') === 'DEVICE') return listDevices(call, options.words);
  if (more.length > 0 || !(isList || options.flags.has('--all')))
    throw unmodelled(call, 'it lists, or wipes, all of one device');
  const device = deviceAt(call.world, path);
  if (device === undefined)
    return failed(1, `wipefs: error: ${path}: probing initialization failed: No such file or directory`);
  const content = call.world.live.get(device.storage);
  if (isList) return list(call, magicsOf(content, device.size), one(options, '--output') ?? '');
  if (openers(call.world, device.number).length > 0)
    return failed(1, `wipefs: error: ${path}: probing initialization failed: Device or resource busy`);
  const types = options.values.get('--types') ?? [];
  const magics = magicsOf(content, device.size).filter(
    ({ type }) => types.length === 0 || types.includes(type),
  );
  if (magics.length === 0 || content === undefined) return ok();
  erase(call, device, content, magics);
  return ok(
    magics
      .map(({ offset, bytes, type }) => {
        const pairs = bytes.match(/../g) ?? [];
        const count = pairs.length === 1 ? '1 byte was' : `${pairs.length} bytes were`;
        const at = `0x${offset.toString(16).padStart(8, '0')}`;
        return `${path}: ${count} erased at offset ${at} (${type}): ${pairs.join(' ')}\n`;
      })
      .join(''),
  );
}

/** Prints a row for each signature of each device, and stops at a missing device. */
function listDevices({ world }: ToolCall, paths: readonly string[]): ReturnType<ToolModel> {
  const rows: string[] = [];
  for (const path of paths) {
    const device = deviceAt(world, path);
    if (device === undefined)
      return failed(1, `wipefs: error: ${path}: probing initialization failed: No such file or directory`);
    const name = JSON.stringify(posix.basename(path));
    for (const _ of magicsOf(world.live.get(device.storage), device.size))
      rows.push(`      {\n         "device": ${name}\n      }`);
  }
  return ok(`{\n   "signatures": [\n${rows.join(',')}\n   ]\n}\n`);
}

/** The only Perl script of bofh for devices: which marks, as `OFFSET:HEX`, each device has. */
export function marksOf(call: ToolCall): ReturnType<ToolModel> {
  const [option, , ...words] = call.argv;
  const first = words.findIndex((word) => word.startsWith('/'));
  if (option !== '-e' || first < 0) throw unmodelled(call, 'it reads marks of devices');
  const marks = words.slice(0, first).map((word) => {
    const [at = '', hex = ''] = word.split(':');
    return { at: Number(at), bytes: Buffer.from(hex, 'hex') };
  });
  const lines = words.slice(first).map((path) => {
    const device = deviceAt(call.world, path);
    if (device === undefined) return '?\n';
    const found = marks.findIndex(({ at, bytes }) => {
      const from = Math.floor(at / 4096) * 4096;
      const block = Buffer.from(bytesOn(call.world, device, { from, count: 8192 }));
      return block.subarray(at - from, at - from + bytes.length).equals(bytes);
    });
    return `${found < 0 ? '-' : String(found)}\n`;
  });
  return ok(lines.join(''));
}

function list(call: ToolCall, magics: readonly Magic[], output: string): ReturnType<ToolModel> {
  if (output !== 'OFFSET,LENGTH,TYPE,USAGE,UUID') throw unmodelled(call, 'it knows only these columns');
  const rows = magics.map(({ offset, bytes, type, usage, uuid }) => {
    const row = { offset: `0x${offset.toString(16)}`, length: bytes.length / 2, type, usage, uuid };
    const lines = Object.entries(row).map(([key, value]) => `         "${key}": ${JSON.stringify(value)}`);
    return `      {\n${lines.join(',\n')}\n      }`;
  });
  return ok(`{\n   "signatures": [\n${rows.join(',')}\n   ]\n}\n`);
}

/** Erases signatures. The write stays in the page cache until a sync. */
function erase({ world }: ToolCall, { storage }: Device, content: Content, magics: readonly Magic[]): void {
  if (content.sectors !== undefined) {
    const zeros = ({ bytes }: Magic): Uint8Array => new Uint8Array(bytes.length / 2);
    world.live.set(
      storage,
      magics.reduce((now, magic) => withBytes(now, magic.offset, zeros(magic)), content),
    );
    return;
  }
  const old = content.erased?.content ?? content;
  const offsets = [...(content.erased?.offsets ?? []), ...magics.map(({ offset }) => offset)];
  world.live.set(storage, { erased: { content: old, offsets } });
}

/** Returns bytes of a device, bypassing its page cache. */
function direct(call: ToolCall, words: ReadonlyMap<string, string>): ReturnType<ToolModel> {
  const known = 'direct,fullblock,skip_bytes,count_bytes';
  const path = words.get('if') ?? '';
  if (words.get('iflag') === 'nocache' && words.get('count') === '0' && words.size === 4)
    return resolve(call.world, path, 'follow').found
      ? ok()
      : failed(1, `dd: failed to open '${path}': No such file or directory`);
  if (words.get('iflag') === 'fullblock,count_bytes' && words.size === 5)
    return all(call, path, Number(words.get('count')));
  if (words.get('iflag') !== known || words.size !== 6) throw unmodelled(call, 'it reads blocks of a device');
  const device = deviceAt(call.world, path);
  if (device === undefined) return failed(1, `dd: failed to open '${path}': No such file or directory`);
  const [from, count] = [Number(words.get('skip')), Number(words.get('count'))];
  const there = Math.max(0, Math.min(count, device.size - from));
  const bytes = bytesOn(call.world, device, { from, count }).subarray(0, there);
  return { ...ok(Buffer.from(bytes).toString('latin1')), isLatin1: true };
}

/**
 * Returns the content of a device as an image. Of a disk of DRBD that is read only up to its metadata it
 * returns the data without the metadata.
 */
function all(call: ToolCall, path: string, count: number): ReturnType<ToolModel> {
  const device = deviceAt(call.world, path);
  if (device === undefined) return failed(1, `dd: failed to open '${path}': No such file or directory`);
  return { ...ok(imageOf(firstPart(call.world, device.storage, count))), isLatin1: true };
}

/** Writes erased bytes back to their old offset; `conv=fsync`: durable. */
function dd(call: ToolCall): ReturnType<ToolModel> {
  const words = new Map(
    call.argv.map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)]),
  );
  if (words.has('if')) return direct(call, words);
  if (words.has('bs') && !words.has('count')) return whole(call, words);
  const isPiped = words.has('count');
  const known = isPiped ? pipedWords : ['of', 'oflag', 'seek', 'conv', 'status'];
  const [path = '', stdin] = [words.get('of'), call.stdin];
  const isKnown = [...words.keys()].every((word) => known.includes(word)) && words.size === known.length;
  if (!isKnown || (!isPiped && words.get('oflag') !== 'seek_bytes') || stdin === undefined)
    throw unmodelled(call, 'it writes its standard input into a device, at a byte');
  const device = deviceAt(call.world, path);
  if (device !== undefined && isPiped) return onto(call, device, words);
  if (device === undefined) return failed(1, `dd: failed to open '${path}': No such file or directory`);
  const now = call.world.live.get(device.storage) ?? {};
  const { erased } = now;
  const offset = Number(words.get('seek'));
  const replicated = withMetadataBytes(device, current(call.world, device, now), {
    offset,
    bytes: Buffer.from(stdin, 'latin1'),
  });
  if (replicated !== undefined) {
    for (const contents of [call.world.live, call.world.durable]) contents.set(device.storage, replicated);
    return ok();
  }
  const written = Buffer.from(stdin, 'latin1').toString('hex');
  const magic = magicsOf(erased?.content).find((each) => each.offset === offset && each.bytes === written);
  if (now.superblock !== undefined && now.metadata === undefined)
    throw unmodelled(call, 'it does not write into a filesystem');
  if (erased === undefined || magic === undefined || now.sectors !== undefined) {
    for (const contents of [call.world.live, call.world.durable])
      contents.set(
        device.storage,
        withBytes(contents.get(device.storage) ?? {}, offset, Buffer.from(stdin, 'latin1')),
      );
    return ok();
  }
  const offsets = erased.offsets.filter((each) => each !== offset);
  // Everything is back: in a plan the real host has that content, and more of it than the model.
  const isReal = offsets.length === 0 && erased.content.real !== undefined;
  if (isReal) for (const contents of [call.world.live, call.world.durable]) contents.delete(device.storage);
  if (isReal) return ok();
  const content = offsets.length === 0 ? erased.content : { erased: { ...erased, offsets } };
  for (const contents of [call.world.live, call.world.durable]) contents.set(device.storage, content);
  return ok();
}

/** Writes an image of a device, which dd reads from a pipe; `conv=fsync`: durable. */
function whole(call: ToolCall, words: ReadonlyMap<string, string>): ReturnType<ToolModel> {
  const [path = '', conv] = [words.get('of'), words.get('conv')];
  const known = ['nocreat,notrunc,fsync', 'sparse,nocreat,notrunc,fsync'];
  if (words.get('iflag') !== 'fullblock' || !known.includes(conv ?? '') || call.stdin === undefined)
    throw unmodelled(call, 'it writes its standard input into a device');
  const device = deviceAt(call.world, path);
  if (device === undefined) return failed(1, `dd: failed to open '${path}': No such file or directory`);
  for (const contents of [call.world.live, call.world.durable]) {
    const content = contentOf(call.stdin);
    contents.set(device.storage, content ?? withBytes({}, 0, Buffer.from(call.stdin, 'latin1')));
  }
  return ok();
}

const pipedWords = ['of', 'bs', 'iflag', 'count', 'conv', 'status'];

/**
 * Writes what comes from a pipe to a device, from the first byte, up to a number of bytes. The rest
 * stays in the pipe, and dd exits with 0.
 */
function onto(call: ToolCall, device: Device, words: ReadonlyMap<string, string>): ReturnType<ToolModel> {
  if (words.get('iflag') !== 'fullblock,count_bytes') throw unmodelled(call, 'it counts bytes');
  const bytes = Buffer.from(call.stdin ?? '', 'latin1').subarray(0, Number(words.get('count')));
  if (call.world.live.get(device.storage)?.superblock !== undefined)
    throw unmodelled(call, 'it does not write into a filesystem');
  for (const contents of [call.world.live, call.world.durable])
    contents.set(device.storage, withBytes(contents.get(device.storage) ?? {}, 0, bytes));
  return ok();
}

/**
 * Discards or zeros a part of a device, bypassing the page cache. A part from byte 0 removes all content:
 * the model keeps only files behind it, which are unreadable without it.
 */
function blkdiscard(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, {
    flags: ['--zeroout', '--verbose'],
    values: ['--offset', '--length', '--step'],
  });
  const [path = '', ...more] = options.words;
  if (more.length > 0) throw unmodelled(call, 'it takes one device');
  const device = deviceAt(world, path);
  if (device === undefined) return failed(1, `blkdiscard: cannot open ${path}: No such file or directory`);
  if (openers(world, device.number).length > 0)
    return failed(1, `blkdiscard: ${path}: is in use: Device or resource busy`);
  const [offset, length] = [one(options, '--offset') ?? '0', one(options, '--length') ?? String(device.size)];
  if (offset === '0') for (const contents of [world.live, world.durable]) contents.set(device.storage, {});
  else zero(world, device, Number(offset), Number(length));
  const verb = options.flags.has('--zeroout') ? 'Zero-filled' : 'Discarded';
  return ok(`${path}: ${verb} ${length} bytes from the offset ${offset}\n`);
}

/** Zeros a part of a device that does not begin at byte 0, but not the files of a filesystem. */
function zero({ live, durable }: ToolCall['world'], { storage }: Device, from: number, length: number): void {
  for (const contents of [live, durable]) {
    const content = contents.get(storage);
    if (content !== undefined) contents.set(storage, withoutSectors(content, from, length));
  }
}

/** Returns whole blocks of a device. Those of an encrypted device differ from its content. */
export function bytesOn(
  { live }: World,
  { storage }: Pick<Device, 'storage'>,
  { from, count }: { readonly from: number; readonly count: number },
): Uint8Array {
  const content = live.get(storage);
  const bytes = blocksOf(content, from, count);
  const { type, uuid = '', version } = content?.superblock ?? {};
  const begins = luksOffset[version === '1' ? 1 : 2];
  if (type !== 'crypto_LUKS' || from < begins) return bytes;
  const plain = blocksOf(live.get(`crypt:${uuid}:${storage}`), from - begins, count);
  return bytes.map((byte, at) => byte ^ (plain[at] ?? 0));
}
