import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { Content } from '../../world/parts.ts';
import { resolve } from '../../world/resolve.ts';
import { copyContent, type World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** zstd 1.5.4, age 1.1.1, tee and sha256sum (coreutils 9.1), in pipelines with dd. */
export const compressedTools: Readonly<Record<string, ToolModel>> = { age, sha256sum, tee, zstd };

const imageMagic = 'all of a simulated device\n';
const frameMagic = '\x28\xb5\x2f\xfd';

/** Returns what a program reads from a whole device, one character for each byte. */
export function imageOf(content: Content | undefined): string {
  // A number may be serialized in two ways. Serialized values that were read back are always
  // written in the same way.
  const read: unknown = deserialize(serialize(copyContent(content ?? {})));
  return imageMagic + serialize(read).toString('latin1');
}

/**
 * Returns the content that such an image gives a device; undefined: it is not an image of a
 * simulated device.
 */
export function contentOf(image: string): Content | undefined {
  if (!image.startsWith(imageMagic)) return undefined;
  return deserialize(Buffer.from(image.slice(imageMagic.length), 'latin1')) as Content;
}

function zstd(call: ToolCall): ReturnType<ToolModel> {
  const flags = ['--compress', '--decompress', '--stdout', '--quiet', '--'];
  const options = readOptions(call, { flags, values: ['--stream-size'] });
  const [path, ...more] = options.words;
  const isRead = options.flags.has('--decompress');
  if (more.length > 0 || isRead === options.flags.has('--compress') || !options.flags.has('--stdout'))
    throw unmodelled(call, 'it compresses, or decompresses, to stdout');
  if (isRead) return decompressed(path ?? '/*stdin*\\', inputOf(call, path));
  if (call.stdin === undefined || path !== undefined || one(options, '--stream-size') === undefined)
    throw unmodelled(call, 'it compresses its standard input, of a known size');
  return bytes(frameOf(call.stdin));
}

/** Returns a compressed file with this content. */
export function frameOf(content: string): string {
  return frameMagic + hashOf(content) + content;
}

function decompressed(name: string, frame: string | undefined): ReturnType<ToolModel> {
  if (frame === undefined)
    return failed(1, `zstd: can't stat ${name} : No such file or directory -- ignored `);
  if (frame === '') return failed(1, `zstd: ${name}: unexpected end of file `);
  if (!frame.startsWith(frameMagic)) return failed(1, `zstd: ${name}: unsupported format `);
  const [hash, content] = [frame.slice(4, 68), frame.slice(68)];
  return hashOf(content) === hash
    ? bytes(content)
    : failed(1, `${name} : Decoding error (36) : Restored data doesn't match checksum `);
}

const ageMagic = 'age-encryption.org/v1\n';

/**
 * age: encrypts nothing in the model, but decrypts only with a file that names one of the public keys, as
 * age-keygen(1) writes it.
 */
function age(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--encrypt', '--decrypt'],
    values: ['--recipient', '--recipients-file', '--identity'],
  });
  const keys = options.values.get('--recipient') ?? [];
  const files = options.values.get('--recipients-file') ?? [];
  const fileOf = (path: string): string[] => (inputOf(call, path) ?? '').trim().split('\n');
  if (options.flags.has('--encrypt') && call.stdin !== undefined && options.words.length === 0) {
    const missing = files.find((path) => inputOf(call, path) === undefined);
    if (missing !== undefined)
      return failed(
        1,
        `age: error: failed to open recipient file: open ${missing}: no such file or directory`,
      );
    return bytes(
      `${ageMagic}${hashOf(call.stdin)} ${[...keys, ...files.flatMap(fileOf)].join(' ')}\n${call.stdin}`,
    );
  }
  const [path, ...more] = options.words;
  const identity = one(options, '--identity');
  if (!options.flags.has('--decrypt') || path === undefined || more.length > 0 || identity === undefined)
    throw unmodelled(call, 'it encrypts its standard input, or decrypts one file');
  const text = inputOf(call, path);
  if (text === undefined)
    return failed(
      1,
      `age: error: failed to open input file "${path}": open ${path}: no such file or directory`,
    );
  if (isUnread(call.world, path)) return bytes(text);
  const [head = '', ...rest] = text.slice(ageMagic.length).split('\n');
  if (!text.startsWith(ageMagic)) return failed(1, 'age: error: failed to read header: parsing age header');
  const secret = inputOf(call, identity) ?? '';
  const [hash, ...readers] = head.split(' ');
  if (!readers.some((key) => secret.includes(key)))
    return failed(1, 'age: error: no identity matched any of the recipients');
  const content = rest.join('\n');
  return hashOf(content) === hash
    ? bytes(content)
    : failed(1, 'age: error: failed to decrypt and authenticate payload chunk');
}

function tee(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--output-error'] });
  const [path = '', ...more] = options.words;
  const there = resolve(call.world, path, 'follow');
  if (call.stdin === undefined || more.length > 0 || one(options, '--output-error') !== 'exit')
    throw unmodelled(call, 'it writes its standard input into one file');
  if (!there.found || there.inode.kind !== 'file') throw unmodelled(call, 'it would make the file');
  const content = Buffer.from(call.stdin, 'latin1');
  there.tree.inodes.set(there.ino, { ...there.inode, content: new Uint8Array(content) });
  return bytes(call.stdin);
}

function sha256sum(call: ToolCall): ReturnType<ToolModel> {
  const [path, ...more] = readOptions(call, { flags: ['--'] }).words;
  if (more.length > 0) throw unmodelled(call, 'it takes one file, or none');
  const content = inputOf(call, path);
  if (content === undefined) return failed(1, `sha256sum: ${path ?? ''}: No such file or directory`);
  return ok(`${hashOf(content)}  ${path ?? '-'}\n`);
}

/** Returns the content of a file, or of stdin. A plan does not read files of the real host. */
function inputOf({ world, stdin }: ToolCall, path: string | undefined): string | undefined {
  if (path === undefined) return stdin ?? '';
  const there = resolve(world, path, 'follow');
  if (!there.found || there.inode.kind !== 'file') return undefined;
  return isUnread(world, path) ? frameMagic + hashOf('') : textIn(there.inode.content);
}

function textIn(content: Uint8Array | undefined): string {
  return Buffer.from(content ?? new Uint8Array()).toString('latin1');
}

/** Whether the file is one of the real host. */
export function isUnread(world: World, path: string): boolean {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.content === undefined && there.inode.real !== undefined;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}

function bytes(stdout: string): ReturnType<ToolModel> {
  return { ...ok(stdout), isLatin1: true };
}
