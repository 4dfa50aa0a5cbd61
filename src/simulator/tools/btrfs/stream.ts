import { posix } from 'node:path';
import { streamHead } from '../../../btrfs/stream.ts';
import { onBtrfs, putState, rootAt, printedTime, type ModelSubvolume } from '../../world/btrfs.ts';
import { reached } from '../../world/files.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { Content } from '../../world/parts.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, directory, file, type Inode, inodeOf, type Tree } from '../../world/tree.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { withBytes } from '../blockdevice/sectors.ts';
import { present } from '../../../core/present.ts';

/**
 * The simulated stream has the real first and last command of a btrfs stream. Between them is one
 * invented command.
 */
interface Sent {
  readonly kind: Inode['kind'];
  readonly mode: number;
  /** Content of a file, one character per byte. */
  readonly content?: string;
  readonly target?: string;
  readonly entries?: Readonly<Record<string, Sent>>;
}

const ownCommand = 0x7fff;
const streamEnd = [0, 0, 0, 0, 21, 0, 0x50, 0x6c, 0xc9, 0x9d];

/** `btrfs send [-p PARENT] [-f FILE] SUBVOLUME`. FILE is opened for writing and may be a device (cmds/send.c of 6.2). */
export function send(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions({ ...call, argv: words }, { values: ['-p', '-f'] });
  const [path = ''] = options.words;
  const [source, parent] = [path, one(options, '-p')].map((each) =>
    each === undefined ? undefined : sendable(world, each),
  );
  for (const each of [source, parent]) if (each !== undefined && 'exitCode' in each) return each;
  if (source === undefined || 'exitCode' in source || (parent !== undefined && 'exitCode' in parent))
    throw unmodelled(call, 'it sends only one subvolume');
  const stream = streamOf(world, path, source, parent);
  const out = one(options, '-f');
  const said = `At subvol ${path}\n`;
  if (out === undefined) return ok(stream.toString('latin1'), said);
  const device = deviceAt(world, out);
  if (device !== undefined) {
    if (stream.length > device.size)
      return failed(1, `${said}ERROR: failed to dump stream: No space left on device`);
    const now = world.live.get(device.storage) ?? {};
    if (now.superblock !== undefined)
      throw unmodelled(call, 'it does not send to a device that contains a filesystem');
    world.live.set(device.storage, withBytes(now, 0, stream));
    return ok('', said);
  }
  const there = resolve(world, out, 'follow');
  if (!there.found) throw unmodelled(call, 'it writes only into an existing file');
  there.tree.inodes.set(there.ino, { ...there.inode, content: new Uint8Array(stream) });
  return ok('', said);
}

function sendable(world: World, path: string): ModelSubvolume | ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  const found = at === undefined ? undefined : rootAt(at);
  if (found === undefined) return failed(1, `ERROR: not a subvolume: ${path}`);
  return found.mode === 'ro' ? found : failed(1, `ERROR: subvolume ${path} is not read-only`);
}

function streamOf(
  world: World,
  path: string,
  source: ModelSubvolume,
  parent: ModelSubvolume | undefined,
): Buffer {
  const generation = Buffer.alloc(8);
  generation.writeBigUInt64LE(BigInt(source.generation));
  const attributes = [
    attribute(15, Buffer.from(posix.basename(source.inside))),
    attribute(1, bytesOf(source)),
    attribute(2, generation),
    ...(parent === undefined ? [] : [attribute(20, bytesOf(parent)), attribute(21, generation)]),
  ];
  const { tree, ino } = reached(world, 'send', path);
  const content = Buffer.from(JSON.stringify(taken(tree, ino)));
  return Buffer.concat([
    Buffer.from('btrfs-stream\0\x01\0\0\0', 'latin1'),
    command(parent === undefined ? 1 : 2, Buffer.concat(attributes)),
    command(ownCommand, content),
    Buffer.from(streamEnd),
  ]);
}

function bytesOf({ uuid, receivedUuid }: ModelSubvolume): Buffer {
  return Buffer.from((receivedUuid ?? uuid).replaceAll('-', ''), 'hex');
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(type);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, value]);
}

function command(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32LE(value.length);
  head.writeUInt16LE(type, 4);
  return Buffer.concat([head, value]);
}

function taken(tree: Tree, ino: number): Sent {
  const { kind, mode, content, target, entries } = inodeOf(tree, ino);
  return {
    ...{ kind, mode },
    ...(content === undefined ? {} : { content: Buffer.from(content).toString('latin1') }),
    ...present({ target }),
    ...(entries === undefined
      ? {}
      : { entries: Object.fromEntries([...entries].map(([name, each]) => [name, taken(tree, each)])) }),
  };
}

/**
 * `btrfs receive [-e] [-f FILE] DIRECTORY`. With `-e` it stops after the first stream; otherwise it expects another stream after
 * it (honor_end_cmd in common/send-stream.c).
 */
export function receive(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions({ ...call, argv: words }, { flags: ['-e'], values: ['-f'] });
  const [into = ''] = options.words;
  const at = onBtrfs(world, into);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${into}`);
  const all = streamFor(call, one(options, '-f'));
  const stream = options.flags.has('-e') ? firstOf(all) : all;
  if (stream.length === 0) return failed(1, 'ERROR: empty stream is not considered valid');
  const head = streamHead(new DataView(stream.buffer, stream.byteOffset, stream.length));
  if (head === undefined) throw unmodelled(call, 'it receives only a valid stream');
  const { name, uuid: receivedUuid, parentUuid } = head;
  const said = `At ${parentUuid === undefined ? 'subvol' : 'snapshot'} ${name}\n`;
  const { subvolumes } = at.state;
  const base =
    parentUuid === undefined
      ? undefined
      : (subvolumes.find((each) => each.receivedUuid === parentUuid) ??
        subvolumes.find((each) => each.uuid === parentUuid));
  if (parentUuid !== undefined && base === undefined)
    return failed(1, `${said}ERROR: cannot find parent subvolume`);
  const path = posix.join(into, name);
  if (resolve(world, path, 'keep').found)
    return failed(1, `${said}ERROR: creating subvolume ${name} failed: File exists`);
  const isWhole = streamEnd.every((byte, nth) => stream.at(nth - streamEnd.length) === byte);
  const { generation, nextId } = at.state;
  const made: ModelSubvolume = {
    ...{ id: nextId, inside: posix.join(at.inside, name), uuid: world.ids.uuid() },
    ...{ generation, madeIn: generation, made: printedTime(new Date()) },
    ...present({ parentUuid: base?.uuid }),
    ...(isWhole ? { mode: 'ro', receivedUuid } : { mode: 'rw' }),
  };
  putState(world, at.mount, {
    ...at.state,
    ...{ nextId: nextId + 1, generation: generation + 1 },
    subvolumes: [...at.state.subvolumes, made],
  });
  const { tree, ino } = reached(world, 'receive', into);
  put(tree, ino, name, contentOf(stream));
  return isWhole ? ok('', said) : failed(1, `${said}ERROR: unexpected EOF in stream`);
}

function streamFor(call: ToolCall, path: string | undefined): Buffer {
  if (path === undefined) return Buffer.from(call.stdin ?? '', 'latin1');
  const device = deviceAt(call.world, path);
  const there = resolve(call.world, path, 'follow');
  const real = call.world.overlay?.streams.get(path);
  if (real !== undefined) return Buffer.concat([real, Buffer.from(streamEnd)]);
  if (device !== undefined) return writtenOn(call.world.live.get(device.storage));
  if (!there.found || there.inode.content === undefined) throw unmodelled(call, 'its stream is not known');
  return Buffer.from(there.inode.content);
}

/** Returns what was written to a device from the first sector on. */
function writtenOn(content: Content = {}): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; ; at += 1) {
    const sector = content.sectors?.get(at);
    if (sector === undefined) return Buffer.concat(parts);
    parts.push(sector);
  }
}

/** Returns the stream up to the command that ends it. */
function firstOf(all: Buffer): Buffer {
  for (let at = 17; at + 10 <= all.length; at += 10 + all.readUInt32LE(at))
    if (all.readUInt16LE(at + 4) === 21) return all.subarray(0, at + 10);
  return all;
}

/**
 * Returns the content between the first and the last command. For a real stream, which the model cannot parse, returns an empty
 * directory.
 */
function contentOf(stream: Buffer): Sent {
  for (let at = 17; at + 10 <= stream.length; ) {
    const [length, type] = [stream.readUInt32LE(at), stream.readUInt16LE(at + 4)];
    if (type === ownCommand) return JSON.parse(stream.toString('utf8', at + 10, at + 10 + length)) as Sent;
    at += 10 + length;
  }
  return { kind: 'directory', mode: 0o755, entries: {} };
}

function put(tree: Tree, parent: number, name: string, sent: Sent): void {
  const { kind, mode, content = '', target } = sent;
  const plain = kind === 'directory' ? directory(mode) : file(Buffer.from(content, 'latin1'), mode);
  const ino = addInode(tree, parent, name, { ...plain, kind, ...present({ target }) });
  for (const [inner, each] of Object.entries(sent.entries ?? {})) put(tree, ino, inner, each);
}
