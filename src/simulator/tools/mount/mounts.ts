import { posix } from 'node:path';
import { one, readOptions, unmodelled } from '../../options.ts';
import { uncover } from '../../real-host/overlay.ts';
import { mountOver } from '../../world/btrfs.ts';
import { resolve } from '../../world/resolve.ts';
import { syncFilesystem } from '../../world/files.ts';
import { escapeOctal } from '../../world/virtual.ts';
import { file, plant, type Tree } from '../../world/tree.ts';
import type { Mount } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { present } from '../../../core/present.ts';

/**
 * mount, umount and sync (util-linux 2.38, coreutils 9.1). mount and umount exit with 32 for nearly
 * every failure.
 */
export const mountTools: Readonly<Record<string, ToolModel>> = { mount, umount, sync };

const hint = '\n       dmesg(1) may have more information after failed mount system call.';

function mount(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { values: ['--types', '--options', '--source', '--target'] });
  const [source, target] = [one(options, '--source'), one(options, '--target')];
  if (source === undefined || target === undefined || options.words.length > 0)
    throw unmodelled(call, 'it takes --source and --target');
  const there = resolve(world, target, 'follow');
  if (!there.found || there.inode.kind !== 'directory')
    return failed(32, `mount: ${target}: mount point does not exist.${hint}`);
  const words = (one(options, '--options') ?? 'rw').split(',');
  if (words.includes('bind')) return bind(world, { source, target, path: there.path, words });
  const device = deviceAt(world, source);
  if (device === undefined)
    return failed(32, `mount: ${target}: special device ${source} does not exist.${hint}`);
  const content = world.live.get(device.storage);
  const type = content?.superblock?.type;
  if (type === 'swap' || type === 'LVM2_member')
    return failed(32, `mount: ${target}: unknown filesystem type '${type}'.${hint}`);
  const asked = one(options, '--types');
  if (content?.tree === undefined || type === undefined || (asked !== undefined && asked !== type))
    return failed(
      32,
      `mount: ${target}: wrong fs type, bad option, bad superblock on ${source}, missing codepage or helper program, or other error.${hint}`,
    );
  if (world.mounts.some((each) => each.path === there.path && each.device === device.number))
    return failed(32, `mount: ${target}: ${source} already mounted on ${target}.${hint}`);
  addMount(world, { device: device.number, storage: device.storage, path: there.path, type, source, words });
  return ok();
}

/**
 * `mount --bind`: another view of a directory. It has only the given flags; without any, those of
 * the source.
 */
function bind(
  world: World,
  {
    source,
    target,
    path,
    words,
  }: {
    readonly source: string;
    readonly target: string;
    readonly path: string;
    readonly words: readonly string[];
  },
): ReturnType<ToolModel> {
  const shown = resolve(world, source, 'follow');
  if (!shown.found) return failed(32, `mount: ${target}: special device ${source} does not exist.${hint}`);
  if (shown.inode.kind !== 'directory')
    return failed(32, `mount: ${target}: mount(2) system call failed: Not a directory.${hint}`);
  const over = world.mounts.find(({ id }) => id === parentOf(world, shown.path));
  if (over === undefined) throw new TypeError(`nothing is mounted where ${source} is`);
  const top = over.path === shown.path ? over.top : shown.ino;
  addMount(world, {
    ...{ device: over.device, path, type: over.type, source: over.source, storage: shown.storage },
    words:
      words.some((word) => flags.includes(word)) || words.includes('ro')
        ? words
        : [...words, ...over.options.split(',').filter((word) => flags.includes(word))],
    root: posix.join(over.root, posix.relative(over.path, shown.path)),
    superOptions: over.superOptions,
    ...present({ top }),
  });
  return ok();
}

const flags = ['nosuid', 'nodev', 'noexec', 'noatime'];

/** Mounts as mount(2) and libmount do; also at boot, and for an administrator. */
export function addMount(
  world: World,
  make: Pick<Mount, 'device' | 'path' | 'type' | 'source'> &
    Partial<Pick<Mount, 'root' | 'superOptions' | 'top'>> & {
      readonly storage: string;
      readonly words: readonly string[];
    },
): Mount {
  const { words, ...rest } = make;
  const userOptions = words.filter((word) => /^[xX]-/.test(word));
  const mode = words.includes('ro') ? 'ro' : 'rw';
  const own = flags.filter((word) => words.includes(word));
  const options = [mode, ...own, ...(own.includes('noatime') ? [] : ['relatime'])].join(',');
  const mounted: Mount = {
    root: '/',
    superOptions: make.type === 'btrfs' ? `${mode},subvolid=5,subvol=/` : mode,
    ...rest,
    id: freeId(world),
    parent: parentOf(world, make.path),
    options,
    optional: '',
    userOptions,
  };
  world.mounts = [...world.mounts, mounted];
  if (mounted.superOptions.split(',').includes('rw')) recovery(world, make.storage, true);
  if (userOptions.length > 0) writeUtab(world, mounted);
  return mounted;
}

function umount(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['--no-canonicalize'] });
  const [path = '', ...more] = words;
  if (more.length > 0) throw unmodelled(call, 'it takes one path');
  const top = call.world.mounts.findLast(
    (each) => each.path === (flags.size > 0 ? path : posix.normalize(path)),
  );
  if (top === undefined) return failed(32, `umount: ${path}: not mounted.`);
  if (isBusy(call.world, top)) return failed(32, `umount: ${path}: target is busy.`);
  removeMount(call.world, top);
  return ok();
}

/** Unmounts as umount(2) does. Written data goes to the device, whose cache a power cut loses. */
export function removeMount(world: World, mounted: Mount): void {
  world.mounts = world.mounts.filter((each) => each !== mounted);
  if (!world.mounts.some(({ storage }) => storage === mounted.storage))
    recovery(world, mounted.storage, false);
  if (mounted.userOptions.length > 0) writeUtab(world, mounted, 'gone');
  if (mounted.storage === undefined && !world.mounts.some(({ path }) => path === mounted.path))
    uncover(world, mounted.path);
}

/**
 * Moves a mount to another directory, as `mount --move` does. `renamed`: a directory above it was
 * renamed, which libmount does not notice.
 */
export function moveMount(world: World, mounted: Mount, path: string, how: 'moved' | 'renamed'): void {
  const others = world.mounts.filter((each) => each !== mounted);
  world.mounts = others;
  const moved: Mount = { ...mounted, path, parent: parentOf(world, path) };
  world.mounts = [...others, moved];
  if (how === 'renamed' || mounted.userOptions.length === 0) return;
  writeUtab(world, mounted, 'gone');
  writeUtab(world, moved);
}

/** Records in the superblock of an ext4, at once and durably, whether it is mounted for writing. */
function recovery(world: World, storage: string | undefined, needsRecovery: boolean): void {
  for (const contents of [world.live, world.durable]) {
    const content = storage === undefined ? undefined : contents.get(storage);
    if (storage !== undefined && content?.superblock !== undefined && content.tree !== undefined)
      contents.set(storage, { ...content, needsRecovery });
  }
}

function isBusy(world: World, mounted: Mount): boolean {
  if (world.mounts.some(({ parent, id }) => parent === mounted.id && id !== mounted.id)) return true;
  const others = world.mounts.some((each) => each !== mounted && each.storage === mounted.storage);
  // An open file keeps its filesystem in use. The model does not distinguish through which mount it
  // was opened.
  return (
    !others &&
    [...world.held.keys()].some((path) => path === mounted.path || path.startsWith(`${mounted.path}/`))
  );
}

function sync(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['--file-system', '--data'] });
  if (!flags.has('--file-system') || words.length === 0)
    throw unmodelled(call, 'it syncs the filesystems of paths');
  for (const path of words) {
    if (!resolve(call.world, path, 'follow').found)
      return failed(1, `sync: error opening '${path}': No such file or directory`);
    syncFilesystem(call.world, path);
  }
  return ok();
}

/**
 * Returns the lowest free number, as the kernel does, so the number of an unmounted one is used
 * again (ida_alloc, fs/namespace.c).
 */
function freeId(world: World): number {
  const taken = new Set(world.mounts.map(({ id }) => id));
  let id = world.nextMount;
  while (taken.has(id)) id += 1;
  return id;
}

/** Returns the mount that contained the path until now. */
function parentOf(world: World, path: string): number {
  return mountOver(world, path)?.id ?? 1;
}

/**
 * Writes the table of libmount: options that the kernel does not keep. libmount removes them at the
 * unmount.
 */
function writeUtab(
  world: World,
  { source, path, root, userOptions }: Mount,
  now: 'there' | 'gone' = 'there',
): void {
  const run = resolve(world, '/run', 'follow');
  if (!run.found) return;
  const tree: Tree = run.tree;
  const top = world.mounts.some(({ storage, path: at }) => storage === run.storage && at === '/run')
    ? ''
    : '/run';
  const known = resolve(world, '/run/mount/utab', 'follow');
  const before = known.found ? new TextDecoder().decode(known.inode.content) : '';
  const target = `TARGET=${escapeOctal(path)} `;
  const lines = before.split('\n').filter((line) => line !== '');
  const index = lines.findLastIndex((line) => line.includes(` ${target}`));
  const kept = now === 'gone' ? lines.filter((_, at) => at !== index) : lines;
  const added = `SRC=${escapeOctal(source)} ${target}ROOT=${escapeOctal(root)} OPTS=${userOptions.join(',')}`;
  const text = [...kept, ...(now === 'there' ? [added] : [])].map((line) => `${line}\n`).join('');
  plant(tree, `${top}/mount/utab`, file(text));
}
