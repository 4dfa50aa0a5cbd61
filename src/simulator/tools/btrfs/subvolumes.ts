import { posix } from 'node:path';
import {
  isDirectory,
  type ModelSubvolume,
  onBtrfs,
  type OnBtrfs,
  printedTime,
  putState,
  rootAt,
  seenBy,
} from '../../world/btrfs.ts';
import { reached } from '../../world/files.ts';
import { unmodelled } from '../../options.ts';
import type { Mount } from '../../world/parts.ts';
import { resolve } from '../../world/resolve.ts';
import { addEntry, addInode, directory, inodeOf, removeEntry, type Tree } from '../../world/tree.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { atRoot, commit, error } from './at.ts';

/** `btrfs subvolume create PATH` */
export function create({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
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

/** `btrfs subvolume snapshot [-r] SOURCE PATH` */
export function snapshot(
  call: ToolCall,
  [source = '', path = '']: readonly string[],
  mode: 'ro' | 'rw',
): ReturnType<ToolModel> {
  const { world } = call;
  if (!isDirectory(world, source)) return error('Could not statfs: No such file or directory');
  const from = onBtrfs(world, source);
  const original = from === undefined ? undefined : rootAt(from);
  if (from === undefined || original === undefined) return error('Not a Btrfs subvolume: Invalid argument');
  if (resolve(world, path, 'keep').found) throw unmodelled(call, 'the destination exists already');
  const parent = posix.dirname(path);
  if (!isDirectory(world, parent)) return error(`cannot access '${parent}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at?.mount.device !== from.mount.device) return error('cannot snapshot: Invalid cross-device link');
  const { generation } = at.state;
  // A read-only snapshot of a received subvolume counts as received too; a writable one does not
  // (6.18).
  const { receivedUuid } = original;
  const received = mode === 'ro' && receivedUuid !== undefined ? { receivedUuid } : {};
  add(world, at, { generation, madeIn: generation, mode, parentUuid: original.uuid, ...received });
  const there = reached(world, 'snapshot', parent);
  addEntry(there.tree, there.ino, posix.basename(path), copied(world, from));
  return ok(`Create a ${mode === 'ro' ? 'readonly ' : ''}snapshot of '${source}' in '${path}'\n`);
}

/** Copies the files of a subvolume. A subvolume in it is an empty directory in the copy. */
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

/** `btrfs subvolume delete --commit-each --subvolid ID PATH` */
export function remove(call: ToolCall, [id = '', root = '']: readonly string[]): ReturnType<ToolModel> {
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

/** `btrfs subvolume set-default ID PATH` */
export function setDefault(
  { world }: ToolCall,
  [id = '', path = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = atRoot(world, path);
  if ('exitCode' in at) return at;
  const one = at.state.subvolumes.find((each) => String(each.id) === id);
  if (one === undefined) return error('Could not set default subvolume: No such file or directory');
  putState(world, at.mount, { ...at.state, defaultId: one.id });
  return ok();
}

/** `btrfs property set -t subvol PATH ro true|false` */
export function setProperty(
  call: ToolCall,
  [path = '', name, value]: readonly string[],
): ReturnType<ToolModel> {
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
  // The kernel commits this change at once (btrfs_ioctl_subvol_setflags).
  commit(world, at);
  return ok();
}

/** Returns the path on the host of a path from the top level, through any mount that shows it. */
function hostPath(world: World, { device }: Mount, inside: string): string {
  for (const mount of world.mounts) {
    const path = mount.device === device ? seenBy(mount, inside) : undefined;
    if (path !== undefined) return path;
  }
  throw new TypeError(`no mount of the simulated host shows ${inside}`);
}
