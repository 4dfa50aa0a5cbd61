import { posix } from 'node:path';
import type { ModuleParameters } from '../kernel/module.ts';
import { unitDirectory } from '../service/links.ts';
import { namedIn } from './acl.ts';
import type {
  DirectoryRequest,
  EnsureAll,
  GroupRequest,
  Later,
  Owned,
  PackageRequest,
  ScriptRequest,
  UserRequest,
} from './description.ts';
import type { WantedEdit } from './edit/edit.ts';
import type { LinesRequest } from './lines.ts';
import type { WantedTemplate } from './template.ts';

/** The place of a resource in the description. */
interface Placed {
  /** Resources with the same identity are the same object of the host. */
  readonly identity: string;
  /** `FILE:LINE` */
  readonly at: string;
  /** Path of the object, if it has one. Determines the order. */
  readonly path?: string;
}

/** A described resource. */
export type Resource = Placed &
  (
    | { readonly kind: 'file'; readonly path: string; readonly wanted: WantedFile }
    | { readonly kind: 'directory'; readonly path: string; readonly wanted: DirectoryRequest }
    | { readonly kind: 'link'; readonly path: string; readonly to: string }
    | {
        readonly kind: 'absent';
        readonly path: string;
        /** Paths in it that are absent too; their steps come before. */
        readonly emptied: readonly string[];
      }
    | { readonly kind: 'service'; readonly unit: string; readonly wanted: WantedService }
    | { readonly kind: 'lines'; readonly path: string; readonly wanted: LinesRequest }
    | { readonly kind: 'edit'; readonly path: string; readonly wanted: WantedEdit }
    | {
        readonly kind: 'apt-source';
        readonly path: string;
        readonly name: string;
        readonly wanted: WantedSource;
      }
    | {
        readonly kind: 'sysctl';
        /** The file that sets the parameter at boot. */
        readonly path: string;
        readonly name: string;
        readonly wanted: string;
      }
    | { readonly kind: 'hostname'; readonly path: string; readonly name: string }
    | { readonly kind: 'timezone'; readonly path: string; readonly name: string }
    | {
        readonly kind: 'kernel-module';
        /** The file that loads the module at boot. */
        readonly path: string;
        readonly name: string;
        /** Its parameters. */
        readonly wanted: ModuleParameters;
      }
    | {
        readonly kind: 'locale';
        readonly path: string;
        /** Value of LANG. */
        readonly name: string;
        /** All locales to generate. */
        readonly wanted: readonly string[];
      }
    | { readonly kind: 'group'; readonly name: string; readonly wanted: GroupRequest }
    | { readonly kind: 'user'; readonly name: string; readonly wanted: WantedUser }
    | { readonly kind: 'package'; readonly name: string; readonly wanted: PackageRequest }
    | {
        readonly kind: 'script';
        readonly name: string;
        readonly wanted: ScriptRequest;
        /** The user of a release, who must exist. */
        readonly user?: string;
      }
    | {
        readonly kind: 'ensure';
        readonly method: EnsureName;
        readonly args: unknown;
        readonly done: (value: unknown) => void;
        readonly value: Later<unknown>;
      }
  );

/** A file whose content is known. */
export interface WantedFile extends Owned {
  readonly content: Uint8Array;
  readonly secret: boolean;
  /** The user in the lines of a file in /etc/cron.d, who must exist. */
  readonly user?: string;
  /** Source of the content, until it is rendered. */
  readonly template?: WantedTemplate;
}

/** A user, with the password hash as text. */
export interface WantedUser extends Omit<UserRequest, 'password'> {
  readonly password?: string;
}

/** A repository of apt, with the text of its key unless the host has the key. */
export interface WantedSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly architectures?: readonly string[];
  readonly signedBy: string;
  readonly key?: string;
}

/** A service, with the files that it depends on as paths. */
interface WantedService {
  readonly enabled?: boolean;
  readonly running?: boolean;
  readonly seconds?: number;
  readonly restartOn: readonly string[];
  readonly reloadOn: readonly string[];
}

/** The arguments that name the object of a create method. */
export const namedBy = {
  'block.createImage': ['file'],
  'block.attachLoop': ['file', 'offset'],
  'lvm.createLv': ['vg', 'name'],
  'lvm.createThinPool': ['vg', 'name'],
  'filesystem.create': ['device'],
  'filesystem.createImage': ['file'],
  'mount.mount': ['path'],
  'mount.addFstab': ['file', 'target', 'source'],
  'mount.addCrypttab': ['file', 'name'],
  'crypt.format': ['device'],
  'btrfs.createSubvolume': ['path'],
  'drbd.createConfig': ['name'],
  'xen.create': ['name'],
  'vm.create': ['name'],
} as const satisfies Record<
  { [D in keyof EnsureAll]: `${D}.${keyof EnsureAll[D] & string}` }[keyof EnsureAll],
  readonly string[]
>;

/** A create method: `lvm.createLv`. */
export type EnsureName = keyof typeof namedBy;

/** Whether a path is one of the others, or inside one of them. */
export function isAmong(all: readonly string[], path: string): boolean {
  return all.some((each) => each === path || isIn(path, each));
}

/** Whether a path is the unit file, or a drop-in of it. */
export function isFileOf(unit: string, path: string): boolean {
  const own = posix.join(unitDirectory, unit);
  return path === own || isIn(path, `${own}.d`);
}

/**
 * Sorts resources. They stay in the described order, but a directory comes before its content (an
 * absent one after it), a repository before the packages, a user or group before objects that name
 * it, and a service after the files that it reads, but before its unit file is removed.
 */
export function inOrder(all: readonly Resource[]): readonly Resource[] {
  const ordered = [...all];
  const directories = all.filter(({ kind }) => kind === 'directory');
  for (const directory of directories.toSorted((a, b) => (b.path ?? '').length - (a.path ?? '').length)) {
    const from = ordered.indexOf(directory);
    const to = ordered.findIndex(({ path }) => path !== undefined && isIn(path, directory.path ?? ''));
    if (to >= 0 && to < from) ordered.splice(to, 0, ...ordered.splice(from, 1));
  }
  for (const outer of all.toSorted((a, b) => (b.path ?? '').length - (a.path ?? '').length)) {
    if (outer.kind !== 'absent') continue;
    const last = ordered.findLastIndex((one) => one.kind === 'absent' && isIn(one.path, outer.path));
    const from = ordered.indexOf(outer);
    if (last > from) ordered.splice(last, 0, ...ordered.splice(from, 1));
  }
  // Moves each user, then each group: a group comes before the users that name it.
  for (const kind of ['user', 'group'] as const)
    for (const one of all) {
      if (one.kind !== kind) continue;
      const from = ordered.indexOf(one);
      const to = ordered.findIndex((other) => namesIn(other, kind).includes(one.name));
      if (to >= 0 && to < from) ordered.splice(to, 0, ...ordered.splice(from, 1));
    }
  for (const one of all) {
    if (one.kind !== 'apt-source') continue;
    const from = ordered.indexOf(one);
    const to = ordered.findIndex(({ kind }) => kind === 'package');
    if (to >= 0 && to < from) ordered.splice(to, 0, ...ordered.splice(from, 1));
  }
  for (const one of all) {
    if (one.kind !== 'service') continue;
    const files = [...one.wanted.restartOn, ...one.wanted.reloadOn];
    const isUnit = (other: Resource): boolean => isAbsentUnit(other, one.unit);
    const last = ordered.findLastIndex(
      (other) =>
        other.path !== undefined &&
        !isUnit(other) &&
        (isAmong(files, other.path) || isFileOf(one.unit, other.path)),
    );
    const from = ordered.indexOf(one);
    if (last > from) ordered.splice(last, 0, ...ordered.splice(from, 1));
    const unit = ordered.findIndex(isUnit);
    if (unit >= 0 && unit < ordered.indexOf(one))
      ordered.splice(unit, 0, ...ordered.splice(ordered.indexOf(one), 1));
  }
  return ordered.map((one) => (one.kind === 'absent' ? { ...one, emptied: absentIn(all, one.path) } : one));
}

/**
 * Whether this resource removes the file of the unit: then the service is stopped and disabled
 * before.
 */
export function isAbsentUnit(one: Resource, unit: string): boolean {
  return one.kind === 'absent' && one.path === posix.join(unitDirectory, unit);
}

/** Returns the paths in a directory that are described as absent. */
function absentIn(all: readonly Resource[], directory: string): readonly string[] {
  return all.flatMap((one) => (one.kind === 'absent' && isIn(one.path, directory) ? [one.path] : []));
}

/** Returns the units that resources before this one stop. */
export function stoppedBefore(all: readonly Resource[], one: Resource): readonly string[] {
  return all
    .slice(0, all.indexOf(one))
    .flatMap((each) => (each.kind === 'service' && each.wanted.running === false ? [each.unit] : []));
}

/** Returns the users or groups that a resource needs, by their names. */
export function namesIn(one: Resource, kind: 'user' | 'group'): readonly unknown[] {
  const named = one.kind === 'file' && kind === 'user' ? [one.wanted.user] : [];
  if (one.kind === 'file' || one.kind === 'directory')
    return [...named, kind === 'user' ? one.wanted.owner : one.wanted.group, ...namedIn(one.wanted, kind)];
  if (one.kind === 'script') return kind === 'user' ? [one.user] : [];
  return one.kind === 'user' && kind === 'group' ? [one.wanted.group, ...(one.wanted.groups ?? [])] : [];
}

/** Returns the paths of the files and links that a resource may write. */
export function writtenBy(one: Resource): readonly string[] {
  switch (one.kind) {
    case 'apt-source':
      return [one.path, one.wanted.signedBy];
    case 'kernel-module':
      return [
        one.path,
        ...(Object.keys(one.wanted).length === 0 ? [] : [`/etc/modprobe.d/${one.name}.conf`]),
      ];
    case 'hostname':
      return [one.path, '/etc/hosts'];
    case 'timezone':
      return [one.path, '/etc/timezone'];
    case 'locale':
      return [one.path, '/etc/locale.conf', '/etc/locale.gen'];
    default:
      return one.path === undefined ? [] : [one.path];
  }
}

/** Whether a path is in a directory, at any depth. */
export function isIn(path: string, directory: string): boolean {
  return path !== directory && !/^\.\.(?:\/|$)/.test(posix.relative(directory, path));
}
