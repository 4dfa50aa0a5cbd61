import { posix } from 'node:path';
import type { Tag } from '../../../blockdevice/commands.ts';
import { present } from '../../../core/present.ts';
import type { Device } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { inheriting } from '../../world/acl.ts';
import { copiedXattrs } from '../../world/xattr.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, type Inode } from '../../world/tree.ts';
import { linkName, taggedDevices, tagOrNone } from '../../world/tags.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from './device-at.ts';

/** `findmnt --verify` (util-linux 2.38) and `cp` (coreutils 9.7). */
export const tableTools: Readonly<Record<string, ToolModel>> = { findmnt, cp };

interface Line {
  readonly source: string;
  readonly target: string;
  readonly type: string;
}

function findmnt(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['--verify'], values: ['--tab-file'] });
  const path = one(options, '--tab-file');
  if (path === undefined || !options.flags.has('--verify') || options.words.length > 0)
    throw unmodelled(call, 'it verifies a table in a file');
  const there = resolve(call.world, path, 'follow');
  if (!there.found) return failed(1, `findmnt: can't read ${path}: No such file or directory`);
  const text = new TextDecoder().decode(there.inode.content);
  const numbered = text.split('\n').map((line, index) => ({ fields: fieldsOf(line), number: index + 1 }));
  const bad = numbered.filter(({ fields }) => fields === 'unreadable');
  const lines = numbered.flatMap(({ fields }) => (typeof fields === 'object' ? [fields] : []));
  const said = lines.map((line, index) => ({
    line,
    complaints: complaintsOn(call.world, line, lines.slice(index + 1)),
  }));
  const all = said.flatMap(({ complaints }) => complaints);
  if (all.length === 0 && bad.length === 0) return ok('Success, no errors or warnings detected\n');
  const stdout = said
    .filter(({ complaints }) => complaints.length > 0)
    .map(({ line, complaints }) => [line.target, ...complaints.map((each) => `   ${each}`), ''].join('\n'))
    .join('');
  const errors = all.filter((each) => each.startsWith('[E]')).length;
  const parsing = bad.map(
    ({ number }) => `findmnt: ${path}: parse error at line ${String(number)} -- ignored\n`,
  );
  const counts = `\n${counted(bad.length, 'parse error')}, ${counted(errors, 'error')}, ${counted(all.length - errors, 'warning')}\n`;
  return { exitCode: errors + bad.length > 0 ? 1 : 0, stdout, stderr: `${parsing.join('')}${counts}` };
}

function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}

function fieldsOf(line: string): Line | 'unreadable' | undefined {
  const words = line.split(/[ \t]+/).filter((word) => word !== '');
  if (words.length === 0 || words[0]?.startsWith('#') === true) return undefined;
  const [source, target, type] = words.map((word) =>
    word.replace(/\\(?<code>[0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
  );
  return source === undefined || target === undefined || type === undefined
    ? 'unreadable'
    : { source, target, type };
}

/** Returns what findmnt reports about a line, in its order. */
function complaintsOn(
  world: World,
  { source, target, type }: Line,
  later: readonly Line[],
): readonly string[] {
  const found: string[] = [];
  for (const other of later) {
    if (other.target.startsWith('/') && target.startsWith(`${other.target}/`))
      found.push(`[E] wrong order: ${target} specified before ${other.target}`);
    if (other.target === target) found.push('[W] target specified more than once');
  }
  if (target.startsWith('/') && !resolve(world, target, 'follow').found)
    found.push('[E] unreachable on boot required target: No such file or directory');
  const tag = tagOrNone(source);
  if ((tag === undefined && !source.startsWith('/')) || type === 'none') return found;
  const device = tag === undefined ? deviceAt(world, source) : deviceOfTag(world, tag);
  if (device === undefined && tag !== undefined)
    found.push(`[E] unreachable on boot required source: ${source}`);
  if (device === undefined && tag === undefined)
    found.push(
      `[W] unreachable source: ${source}: No such file or directory`,
      '[W] cannot detect on-disk filesystem type (No such file or directory)',
    );
  const onDisk = device === undefined ? undefined : world.live.get(device.storage)?.superblock?.type;
  if (onDisk !== undefined && type !== 'auto' && onDisk !== type)
    found.push(`[E] ${type} does not match with on-disk ${onDisk}`);
  return found;
}

/** Finds the device with a tag by udev's link, or by reading every device. */
function deviceOfTag(world: World, tag: Tag): Device | undefined {
  const link = `/dev/disk/by-${tag.name.toLowerCase()}/${linkName(tag.value)}`;
  const [real] = world.overlay?.tagged.get(`${tag.name}=${tag.value}`) ?? [];
  return (
    deviceAt(world, link) ??
    taggedDevices(world, tag)[0] ??
    (real === undefined ? undefined : deviceAt(world, real.path))
  );
}

function cp(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  if (call.argv[0] === '--recursive') return cpWhole(call);
  const [first, verbose, preserve, second, dashes, from = '', to = '', ...more] = call.argv;
  const head = [first, verbose, second, dashes].join(' ');
  const owner = preserve === '--preserve=ownership,xattr';
  const known = owner || preserve === '--preserve=xattr';
  if (head !== '--attributes-only --verbose --no-target-directory --' || !known || more.length > 0)
    throw unmodelled(call, 'it copies the attributes of one file');
  const [source, target] = [resolve(world, from, 'follow'), resolve(world, to, 'follow')];
  if (!source.found) return failed(1, `cp: cannot stat '${from}': No such file or directory`);
  if (!target.found) throw unmodelled(call, 'the destination must exist');
  const { uid, gid } = source.inode;
  target.tree.inodes.set(target.ino, {
    ...{ ...target.inode, ...copiedXattrs(source.inode, from) },
    ...(owner ? { uid, gid } : {}),
  });
  return ok(`'${from}' -> '${to}'\n`);
}

/** The ACL that the copy gets. Undefined: it keeps what it has inherited, as since coreutils 9.5. */
function copiedAcl({ acl, real }: Inode): Inode['acl'] {
  if (acl === undefined) return real === undefined ? undefined : 'unread';
  return acl === 'unread' || acl.access.length + acl.inherited.length > 0 ? acl : undefined;
}

/** Copies one file, symbolic link or empty directory. */
function cpWhole(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const [head, from = '', to = ''] = [call.argv.slice(0, 5).join(' '), ...call.argv.slice(5)];
  if (
    head !==
      '--recursive --no-dereference --preserve=mode,ownership,timestamps,xattr --no-target-directory --' ||
    call.argv.length !== 7
  )
    throw unmodelled(call, 'it copies one object whole');
  const source = resolve(world, from, 'keep');
  const [parent, there] = [resolve(world, posix.dirname(to), 'follow'), resolve(world, to, 'keep')];
  if (!source.found) return failed(1, `cp: cannot stat '${from}': No such file or directory`);
  if (!parent.found) return failed(1, `cp: cannot create regular file '${to}': No such file or directory`);
  if (there.found || (source.inode.entries?.size ?? 0) > 0)
    throw unmodelled(call, 'the destination must not exist, and a directory must be empty');
  const { birth: _, entries, ...inode } = source.inode;
  const acl = copiedAcl(source.inode);
  const made = { ...inode, ...(entries === undefined ? {} : { entries: new Map<string, number>() }) };
  addInode(parent.tree, parent.ino, posix.basename(to), {
    ...inheriting(parent.inode, made),
    ...{ ...present({ acl }), ...copiedXattrs(source.inode, from) },
  });
  return ok();
}
