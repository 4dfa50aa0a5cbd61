import { posix } from 'node:path';
import { mountOver as visibleMount } from '../../blockdevice/mountinfo.ts';
import type { Mount } from './parts.ts';
import { resolve } from './resolve.ts';
import type { World } from './world.ts';

/** A subvolume of the model. An immutable value. */
export interface ModelSubvolume {
  readonly id: number;
  /** Its path from the top level. */
  readonly inside: string;
  readonly uuid: string;
  readonly parentUuid?: string;
  readonly receivedUuid?: string;
  readonly generation: number;
  readonly madeIn: number;
  /**
   * Creation time as `btrfs subvolume show` prints it. Missing: a real subvolume that was not read
   * yet.
   */
  readonly made?: string;
  readonly mode: 'ro' | 'rw';
}

/** A device of a btrfs, with the storage of its content. */
export interface ModelMember {
  readonly devid: number;
  readonly uuid: string;
  readonly storage: string;
}

/**
 * The data of a btrfs besides its files, such as its subvolumes. Immutable: a change replaces it.
 */
export interface Btrfs {
  readonly nextId: number;
  readonly generation: number;
  readonly defaultId: number;
  readonly subvolumes: readonly ModelSubvolume[];
  /** Missing: quotas are off. Limits of quota groups, by their id, as btrfs prints them. */
  readonly limits?: Readonly<Record<string, { readonly referenced?: string; readonly exclusive?: string }>>;
  /** Quotas are simple ones (squota of Linux 6.7). */
  readonly simple?: true;
  /** Devices; missing: it is on one device. */
  readonly members?: readonly ModelMember[];
  /** Profile of the metadata; missing: DUP. */
  readonly metadataProfile?: string;
  /** Bytes of devices that are missing. */
  readonly missing?: number;
  /** Used bytes, with every copy; missing: those of an empty one. */
  readonly used?: number;
  /** UUID of the filesystem; only for one of a real host. */
  readonly fs?: string;
  /** Errors that a scrub finds, and cannot correct. */
  readonly errors?: number;
  /** A balance started by an administrator. */
  readonly balance?: 'running' | 'paused';
  /** The last scrub. */
  readonly scrubbed?: 'finished' | 'running';
}

/** A path on a mounted btrfs: of the model, or in a plan also of the real host. */
export interface OnBtrfs {
  readonly mount: Mount;
  readonly inside: string;
  readonly state: Btrfs;
}

/** Formats a time as btrfs does. The text of a host's state does not contain it. */
export function printedTime(at: Date): string {
  return at.toISOString().replace(/T(?<time>[\d:]+)\.\d+Z$/, ' $<time> +0000');
}

/** Returns a btrfs as mkfs leaves it. */
export function newBtrfs(uuid: string): Btrfs {
  const top = {
    id: 5,
    inside: '/',
    uuid,
    generation: 7,
    madeIn: 0,
    made: printedTime(new Date()),
    mode: 'rw',
  } as const;
  return { nextId: 256, generation: 8, defaultId: 5, subvolumes: [top] };
}

/** Finds a path on a btrfs; undefined on any other filesystem. The path must contain no links. */
export function onBtrfs(world: World, path: string): OnBtrfs | undefined {
  const mount = mountOver(world, path);
  if (mount?.type !== 'btrfs') return undefined;
  const state = stateOf(world, mount);
  const rest = mount.path === '/' ? path : path.slice(mount.path.length);
  return { mount, state, inside: posix.join(mount.root, rest === '' ? '/' : rest).replace(/(?<=.)\/$/, '') };
}

/** Returns the mount through which a path is seen. */
export function mountOver(world: World, path: string): Mount | undefined {
  const { id } = visibleMount(world.mounts, path) ?? {};
  return world.mounts.find((mount) => mount.id === id);
}

function stateOf(world: World, mount: Mount): Btrfs {
  const known = mount.storage === undefined ? undefined : world.live.get(mount.storage);
  const state = mount.storage === undefined ? world.overlay?.btrfs.get(mount.device) : known?.btrfs;
  return state ?? newBtrfs(known?.superblock?.uuid ?? '');
}

/** Replaces the state of a btrfs. */
export function putState(world: World, mount: Mount, state: Btrfs): void {
  if (mount.storage === undefined) world.overlay?.btrfs.set(mount.device, state);
  else {
    const content = world.live.get(mount.storage) ?? {};
    world.live.set(mount.storage, { ...content, btrfs: state });
  }
}

/** Returns the subvolume whose root is this path. */
export function rootAt({ state, inside }: OnBtrfs): ModelSubvolume | undefined {
  return state.subvolumes.find((each) => each.inside === inside);
}

/** Returns the subvolume that contains a path. */
export function around({ state, inside }: Pick<OnBtrfs, 'state' | 'inside'>): ModelSubvolume {
  const [nearest] = state.subvolumes
    .filter((each) => each.inside === '/' || inside === each.inside || inside.startsWith(`${each.inside}/`))
    .toSorted((a, b) => b.inside.length - a.inside.length);
  if (nearest === undefined) throw new TypeError('a btrfs of the model has no top level');
  return nearest;
}

/** Returns the id of the parent of a subvolume. */
export function parentOf(state: Btrfs, { id, inside }: ModelSubvolume): number {
  return id === 5 ? 0 : around({ state, inside: posix.dirname(inside) }).id;
}

/** Returns the path on the host of a path from the top level, if this mount shows it. */
export function seenBy({ root, path }: Mount, inside: string): string | undefined {
  if (root === '/') return posix.join(path, inside).replace(/(?<=.)\/$/, '');
  if (inside === root) return path;
  return inside.startsWith(`${root}/`) ? posix.join(path, inside.slice(root.length)) : undefined;
}

/** Updates the paths in a renamed directory. */
export function movedInside(world: World, from: string, to: string): void {
  const [at, there] = [onBtrfs(world, from), onBtrfs(world, to)];
  if (at === undefined || there === undefined) return;
  const subvolumes = at.state.subvolumes.map((each) => {
    if (each.inside !== at.inside && !each.inside.startsWith(`${at.inside}/`)) return each;
    return { ...each, inside: there.inside + each.inside.slice(at.inside.length) };
  });
  putState(world, at.mount, { ...at.state, subvolumes });
}

/** Returns lines for the text of a host's state: differences from a new filesystem. */
export function describeBtrfs({ defaultId, subvolumes, limits, simple }: Btrfs): readonly string[] {
  const made = subvolumes.filter(({ id }) => id !== 5);
  const chosen = made.find(({ id }) => id === defaultId);
  return [
    ...made.map(
      ({ inside, uuid, parentUuid = '-', receivedUuid = '-', mode }) =>
        `subvolume ${JSON.stringify(inside)} ${uuid} of ${parentUuid} from ${receivedUuid} ${mode}`,
    ),
    ...(chosen === undefined ? [] : [`default ${JSON.stringify(chosen.inside)}`]),
    ...(limits === undefined
      ? []
      : [simple ? 'simple quotas are on' : 'quotas are on', ...describeLimits(limits, subvolumes)]),
  ];
}

function describeLimits(
  limits: Btrfs['limits'] & object,
  subvolumes: Btrfs['subvolumes'],
): readonly string[] {
  return subvolumes.flatMap(({ id, inside }) => {
    const { referenced = 'none', exclusive = 'none' } = limits[`0/${id}`] ?? {};
    const isNone = referenced === 'none' && exclusive === 'none';
    return isNone ? [] : [`limit of ${JSON.stringify(inside)}: ${referenced}, ${exclusive}`];
  });
}

/** Whether this path of the host is a directory, and no link. */
export function isDirectory(world: World, path: string): boolean {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.kind === 'directory';
}
