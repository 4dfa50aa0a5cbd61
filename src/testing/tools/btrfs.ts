import { posix } from 'node:path';
import {
  around,
  type Btrfs,
  isDirectory,
  type ModelSubvolume,
  printedTime,
  onBtrfs,
  type OnBtrfs,
  parentOf,
  putState,
  rootAt,
  seenBy,
} from '../btrfs.ts';
import { unmodelled } from '../options.ts';
import type { Mount } from '../parts.ts';
import { resolve } from '../resolve.ts';
import { addEntry, addInode, directory, inodeOf, removeEntry, type Tree } from '../tree.ts';
import { settle, type World } from '../world.ts';
import { addDevice, removeDevice, replaceDevice, showDevices, usage } from './btrfs-devices.ts';
import { balance, balanceStatus, scrub, scrubStatus } from './btrfs-maintenance.ts';
import { createGroup, groups, limit, quota } from './btrfs-quota.ts';
import { receive, send } from './btrfs-stream.ts';
import { sizeTools } from './sizes.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { reached } from '../files.ts';

/** btrfs (btrfs-progs 6.2): subvolumes, their properties and the default one. */
export const btrfsTools: Readonly<Record<string, ToolModel>> = { btrfs };

type Verb = (call: ToolCall, words: readonly string[]) => ReturnType<ToolModel>;

const verbs: readonly (readonly [words: readonly string[], verb: Verb])[] = [
  [['subvolume', 'create'], create],
  [['subvolume', 'snapshot', '-r'], (call, words) => snapshot(call, words, 'ro')],
  [['subvolume', 'snapshot'], (call, words) => snapshot(call, words, 'rw')],
  [['subvolume', 'delete', '--commit-each', '--subvolid'], remove],
  [['subvolume', 'show', '--rootid'], showById],
  [['subvolume', 'show'], show],
  [['subvolume', 'list', '-a', '-p', '-g', '-u', '-q', '-R'], (call, words) => list(call, words, 'plain')],
  [
    ['subvolume', 'list', '-a', '-p', '-c', '-g', '-u', '-q', '-R'],
    (call, words) => list(call, words, 'cgen'),
  ],
  [['subvolume', 'get-default'], getDefault],
  [['subvolume', 'set-default'], setDefault],
  [['property', 'set', '-t', 'subvol'], setProperty],
  [['inspect-internal', 'rootid'], rootid],
  [['filesystem', 'sync'], sync],
  [['send'], send],
  [['quota'], quota],
  [['qgroup', 'create'], createGroup],
  [['qgroup', 'limit'], limit],
  [['qgroup', 'show', '--raw', '-pcre'], groups],
  [['device', 'add'], addDevice],
  [['device', 'remove'], removeDevice],
  [['replace', 'start', '-B'], replaceDevice],
  [['filesystem', 'show', '--raw'], showDevices],
  [['filesystem', 'usage', '--raw'], usage],
  [['scrub', 'start', '-B', '-R'], scrub],
  [['scrub', 'status', '-R'], scrubStatus],
  [['balance', 'start'], balance],
  [['balance', 'status'], balanceStatus],
  [['receive'], receive],
];

function btrfs(call: ToolCall): ReturnType<ToolModel> {
  for (const [words, verb] of verbs)
    if (words.every((word, at) => call.argv[at] === word)) return verb(call, call.argv.slice(words.length));
  const ofSizes = sizeTools.btrfs;
  if (ofSizes === undefined) throw unmodelled(call, 'the verb, or an option of it, is new to it');
  return ofSizes(call);
}

function create({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const parent = posix.dirname(path);
  if (resolve(world, path, 'keep').found) return error(`target path already exists: ${path}`);
  if (!isDirectory(world, parent)) return error(`cannot access '${parent}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${parent}`);
  const { generation } = at.state;
  add(world, at, { generation, madeIn: generation, mode: 'rw' });
  const { tree, ino } = reached(world, 'create', parent);
  addInode(tree, ino, posix.basename(path), directory());
  return ok(`Create subvolume '${path}'\n`);
}

function snapshot(
  call: ToolCall,
  [source = '', path = '']: readonly string[],
  mode: 'ro' | 'rw',
): ReturnType<ToolModel> {
  const { world } = call;
  if (!isDirectory(world, source)) return error('Could not statfs: No such file or directory');
  const from = onBtrfs(world, source);
  const original = from === undefined ? undefined : rootAt(from);
  if (from === undefined || original === undefined) return error('Not a Btrfs subvolume: Invalid argument');
  if (resolve(world, path, 'keep').found) throw unmodelled(call, 'its destination is there already');
  const parent = posix.dirname(path);
  if (!isDirectory(world, parent)) return error(`cannot access '${parent}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at?.mount.device !== from.mount.device) return error('cannot snapshot: Invalid cross-device link');
  const { generation } = at.state;
  // A read-only snapshot of a received one counts as received itself; a writable one does not (6.18).
  const { receivedUuid } = original;
  const received = mode === 'ro' && receivedUuid !== undefined ? { receivedUuid } : {};
  add(world, at, { generation, madeIn: generation, mode, parentUuid: original.uuid, ...received });
  const there = reached(world, 'snapshot', parent);
  addEntry(there.tree, there.ino, posix.basename(path), copied(world, from));
  return ok(`Create a ${mode === 'ro' ? 'readonly ' : ''}snapshot of '${source}' in '${path}'\n`);
}

/** The files of a subvolume once more; what is a subvolume in it is an empty directory in the copy. */
function copied(world: World, { mount, inside, state }: OnBtrfs): number {
  const where = reached(world, 'snapshot', hostPath(world, mount, inside));
  const inner = new Set(state.subvolumes.map((each) => each.inside));
  const copy = (tree: Tree, ino: number, at: string): number => {
    const inode = inodeOf(tree, ino);
    const made = tree.next;
    tree.next += 1;
    tree.inodes.set(made, inode);
    if (inode.kind !== 'directory') return made;
    const isInner = at !== inside && inner.has(at);
    const entries = isInner
      ? []
      : [...(inode.entries ?? [])].map(
          ([name, child]) => [name, copy(tree, child, posix.join(at, name))] as const,
        );
    tree.inodes.set(made, { ...inode, entries: new Map(entries) });
    return made;
  };
  return copy(where.tree, where.ino, inside);
}

function add(
  world: World,
  { mount, inside, state }: OnBtrfs,
  made: Pick<ModelSubvolume, 'generation' | 'madeIn' | 'mode' | 'parentUuid' | 'receivedUuid'>,
): void {
  const { nextId: id, generation, subvolumes } = state;
  const one: ModelSubvolume = { id, inside, uuid: world.ids.uuid(), made: printedTime(new Date()), ...made };
  putState(world, mount, {
    ...state,
    nextId: id + 1,
    generation: generation + 1,
    subvolumes: [...subvolumes, one],
  });
}

function remove(call: ToolCall, [id = '', root = '']: readonly string[]): ReturnType<ToolModel> {
  const { world } = call;
  const at = atRoot(world, root);
  if ('exitCode' in at) return at;
  const one = at.state.subvolumes.find((each) => String(each.id) === id);
  if (one === undefined)
    return {
      ...error('Could not destroy subvolume/snapshot: No such file or directory'),
      stdout: `Delete subvolume (commit): subvolid=${id}\n`,
    };
  const path = hostPath(world, at.mount, one.inside);
  if (at.state.defaultId === one.id)
    return failed(1, `WARNING: not deleting default subvolume id ${id} '${path}'`);
  const said = `Delete subvolume (commit): '${path}'\n`;
  if (at.state.subvolumes.some((each) => each.inside.startsWith(`${one.inside}/`)))
    return { ...error('Could not destroy subvolume/snapshot: Directory not empty'), stdout: said };
  putState(world, at.mount, {
    ...at.state,
    generation: at.state.generation + 1,
    subvolumes: at.state.subvolumes.filter((each) => each !== one),
  });
  const parent = reached(world, 'delete', posix.dirname(path));
  removeEntry(parent.tree, parent.ino, posix.basename(path));
  world.overlay?.absent.add(path);
  commit(world, at);
  return ok(said);
}

function show({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  if (!resolve(world, path, 'follow').found)
    return error(`cannot find real path for '${path}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at === undefined) return error('Not a Btrfs filesystem: Invalid argument');
  const one = rootAt(at);
  return one === undefined ? error('Not a Btrfs subvolume: Invalid argument') : ok(shown(at.state, one));
}

function showById({ world }: ToolCall, [id = '', path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error('Not a Btrfs filesystem: Invalid argument');
  const one = at.state.subvolumes.find((each) => String(each.id) === id);
  return one === undefined
    ? error('Subvolume not found: No such file or directory')
    : ok(shown(at.state, one));
}

function shown(state: Btrfs, one: ModelSubvolume): string {
  const parent = parentOf(state, one);
  const snapshots = state.subvolumes.filter(({ parentUuid }) => parentUuid === one.uuid);
  const lines = [
    one.id === 5 ? '/' : one.inside.slice(1),
    `\tName: \t\t\t${one.id === 5 ? '<FS_TREE>' : posix.basename(one.inside)}`,
    `\tUUID: \t\t\t${one.uuid}`,
    `\tParent UUID: \t\t${one.parentUuid ?? '-'}`,
    `\tReceived UUID: \t\t${one.receivedUuid ?? '-'}`,
    `\tCreation time: \t\t${one.made ?? '-'}`,
    `\tSubvolume ID: \t\t${one.id}`,
    `\tGeneration: \t\t${one.generation}`,
    `\tGen at creation: \t${one.madeIn}`,
    `\tParent ID: \t\t${parent}`,
    `\tTop level ID: \t\t${parent}`,
    `\tFlags: \t\t\t${one.mode === 'ro' ? 'readonly' : '-'}`,
    '\tSend transid: \t\t0',
    `\tSend time: \t\t${one.made ?? '-'}`,
    '\tReceive transid: \t0',
    '\tReceive time: \t\t-',
    '\tSnapshot(s):',
    ...snapshots.map(({ inside }) => `\t\t\t\t${inside.slice(1)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function list(
  { world }: ToolCall,
  [path = '']: readonly string[],
  form: 'plain' | 'cgen',
): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined)
    return failed(1, `ERROR: not a btrfs filesystem: ${path}\nERROR: can't access '${path}'`);
  const own = around(at).id;
  const lines = at.state.subvolumes
    .filter(({ id }) => id !== 5)
    .toSorted((a, b) => a.id - b.id)
    .map((one) => {
      const parent = parentOf(at.state, one);
      const cgen = form === 'plain' ? '' : ` cgen ${one.madeIn}`;
      const uuids = [one.parentUuid, one.receivedUuid].map((uuid = '-') => uuid.padEnd(36));
      const prefix = parent === own ? '' : '<FS_TREE>/';
      return `ID ${one.id} gen ${one.generation}${cgen} parent ${parent} top level ${parent} parent_uuid ${uuids[0] ?? ''} received_uuid ${uuids[1] ?? ''} uuid ${one.uuid} path ${prefix}${one.inside.slice(1)}\n`;
    });
  return ok(lines.join(''));
}

function getDefault({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = atRoot(world, path);
  if ('exitCode' in at) return at;
  const one = at.state.subvolumes.find(({ id }) => id === at.state.defaultId);
  if (one === undefined || one.id === 5) return ok('ID 5 (FS_TREE)\n');
  const parent = parentOf(at.state, one);
  return ok(`ID ${one.id} gen ${one.generation} top level ${parent} path ${one.inside.slice(1)}\n`);
}

function setDefault({ world }: ToolCall, [id = '', path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = atRoot(world, path);
  if ('exitCode' in at) return at;
  const one = at.state.subvolumes.find((each) => String(each.id) === id);
  if (one === undefined) return error('Could not set default subvolume: No such file or directory');
  putState(world, at.mount, { ...at.state, defaultId: one.id });
  return ok();
}

function setProperty(call: ToolCall, [path = '', name, value]: readonly string[]): ReturnType<ToolModel> {
  const { world } = call;
  if (name !== 'ro' || (value !== 'true' && value !== 'false'))
    throw unmodelled(call, 'it knows the property ro');
  const at = onBtrfs(world, path);
  const one = at === undefined ? undefined : rootAt(at);
  if (at === undefined || one === undefined) return error('Could not get subvolume flags: Invalid argument');
  if (value === 'false' && one.mode === 'ro' && one.receivedUuid !== undefined)
    return error('cannot flip ro->rw with received_uuid set, use force if you really want that');
  const now: ModelSubvolume = { ...one, mode: value === 'true' ? 'ro' : 'rw' };
  const subvolumes = at.state.subvolumes.map((each) => (each === one ? now : each));
  putState(world, at.mount, { ...at.state, subvolumes });
  // The kernel commits it at once (btrfs_ioctl_subvol_setflags).
  commit(world, at);
  return ok();
}

function rootid({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const there = resolve(world, path, 'follow');
  if (!there.found) return error(`cannot access '${path}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  const { id, mode } = around(at);
  if (there.inode.kind === 'file' && mode === 'ro')
    return error(`cannot access '${path}': Read-only file system`);
  return ok(`${id}\n`);
}

function sync({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  commit(world, at);
  return ok();
}

/** What a path from the top level is called on the host: by some mount that shows it. */
function hostPath(world: World, { device }: Mount, inside: string): string {
  for (const mount of world.mounts) {
    const path = mount.device === device ? seenBy(mount, inside) : undefined;
    if (path !== undefined) return path;
  }
  throw new TypeError(`no mount of the simulated host shows ${inside}`);
}

/** A transaction is committed: all that was done to the filesystem so far is on its disk. */
function commit(world: World, { mount }: OnBtrfs): void {
  if (mount.storage !== undefined) settle(world, mount.storage);
}

function atRoot(world: World, path: string): OnBtrfs | ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  return rootAt(at) === undefined ? error('Not a Btrfs subvolume: Invalid argument') : at;
}

function error(words: string): ReturnType<ToolModel> {
  return failed(1, `ERROR: ${words}`);
}
