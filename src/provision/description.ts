import { isDeepStrictEqual } from 'node:util';
import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { Ensured } from '../atomic/ensure.ts';
import { absolutePath } from '../blockdevice/path.ts';
import { Secret } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { parsed } from '../core/request.ts';
import type { EnsureMethods } from '../operations.ts';
import { unitDirectory } from '../service/links.ts';
import { unitName } from '../service/unit.ts';
import type { CreatedVm } from '../vm/create.ts';
import type { CreateRequest } from '../vm/create-request.ts';
import type { Facts } from './facts.ts';
import { packageName, packageVersion } from '../packages/index.ts';
import type { LinesRequest } from './lines.ts';

/** Owner and mode of a file or directory. What is left out stays as it is. */
export interface Owned {
  /** Name of the user, as in /etc/passwd, or a number (default: unchanged; new: the user who runs bofh). */
  readonly owner?: string | number;
  /** Name of the group, as in /etc/group, or a number (default: unchanged; new: that of this user). */
  readonly group?: string | number;
  /** Permission bits: `0o640` (default: unchanged; new file `0o644`, new directory `0o755`). */
  readonly mode?: number;
}

/** A package of Debian. */
export interface PackageRequest {
  /** Exactly this version (default: any; if it is missing, the newest). `latest`: the newest. */
  readonly version?: string;
  /** Whether apt keeps its version, as `apt-mark hold` (default: unchanged). */
  readonly hold?: boolean;
  /**
   * It is not installed. `purged`: its configuration files are removed too, after the commit, because
   * nothing restores them.
   */
  readonly absent?: true | 'purged';
}

/** What a file contains. A `Secret` is neither shown nor journalled, and its file has mode `0o600`. */
export type Content = string | Uint8Array | Secret;

/** A file of a description. */
export interface FileRequest extends Owned {
  /** Its content, or a function that returns it. */
  readonly content: Content | ((facts: Facts) => Content);
}

/** What `h.file` and its like return, for `restartOn` of a service. */
export interface Described {
  readonly path: string;
}

/** What a service of a description should be. What is left out stays as it is. */
export interface ServiceRequest {
  /** Whether it starts with the boot, as `systemctl enable`. */
  readonly enabled?: boolean;
  /** Whether it runs. */
  readonly running?: boolean;
  /** If one of these changes, a running service is restarted: what `h.file` returned, or paths; of a directory all in it. */
  readonly restartOn?: readonly (Described | string)[];
  /** The same with a reload. */
  readonly reloadOn?: readonly (Described | string)[];
  /** After a start, restart or reload it must stay up for so many seconds (default: 5). */
  readonly seconds?: number;
}

/** The value of a resource, once its turn has come. */
export type Later<V> = () => V;

/** Collects a create method of `ensure`. Its arguments, or a function that returns them in its turn. */
export type Collecting<M> = {
  readonly [K in keyof M]: M[K] extends (args: infer A) => Promise<Ensured<infer V>>
    ? (args: A | (() => A)) => Later<V>
    : never;
};

/** The create methods that a description has, beside files. */
interface EnsureAll extends Omit<EnsureMethods, 'file'> {
  readonly vm: { readonly create: (request: CreateRequest) => Promise<Ensured<CreatedVm>> };
}

/** Collects what should be on a host. Nothing is read or changed here. */
export interface HostBuilder {
  /** A regular file with this content. */
  file(path: string, request: FileRequest): Described;
  /** A directory. What is in it counts only as far as it is described. */
  directory(path: string, request?: Owned): Described;
  /** A symbolic link that says `to`. */
  link(path: string, request: { readonly to: string }): Described;
  /** No file, link or directory of this name. A directory that is not empty is refused. */
  absent(path: string): Described;
  /** A package of Debian, with the packages that it needs. All packages of a description change together. */
  package(name: string, request?: PackageRequest): void;
  /** Lines of an existing text file. */
  lines(path: string, request: LinesRequest): Described;
  /** A unit of systemd: `nginx` is `nginx.service`; `backup.timer` is a timer. */
  service(unit: string, request: ServiceRequest): void;
  /**
   * What `tx.ensure` creates, unless it is there exactly as asked: volumes, filesystems, mounts, lines
   * of /etc/fstab, LUKS, guests.
   */
  readonly ensure: { readonly [D in keyof EnsureAll]: Collecting<EnsureAll[D]> };
}

/** What `defineHost` returns. */
export interface HostDescription {
  /** Collects what should be on the host. */
  readonly describe: (h: HostBuilder, facts: Facts) => unknown;
}

/**
 * Describes what should be on a host: the default export of a file for `bofh host apply FILE`. The
 * function only collects; it gets the facts of the host.
 *
 * @example
 * export default defineHost((h, facts) => {
 *   h.directory('/srv/www', { mode: 0o755 });
 *   h.file('/srv/www/index.html', { content: `<h1>${facts.hostname}</h1>\n` });
 * });
 */
export function defineHost(describe: HostDescription['describe']): HostDescription {
  const given: unknown = describe;
  if (typeof given !== 'function') throw new UsageError('defineHost: its argument must be a function');
  return { describe };
}

/** Where a resource is described. */
interface Placed {
  /** Resources with the same identity are one object of the host. */
  readonly identity: string;
  /** `FILE:LINE` */
  readonly at: string;
  /** Its path, if it has one: for the order. */
  readonly path?: string;
}

/** A resource that is described. */
export type Resource = Placed &
  (
    | { readonly kind: 'file'; readonly path: string; readonly wanted: WantedFile }
    | { readonly kind: 'directory'; readonly path: string; readonly wanted: Owned }
    | { readonly kind: 'link'; readonly path: string; readonly to: string }
    | { readonly kind: 'absent'; readonly path: string }
    | { readonly kind: 'service'; readonly unit: string; readonly wanted: WantedService }
    | { readonly kind: 'lines'; readonly path: string; readonly wanted: LinesRequest }
    | { readonly kind: 'package'; readonly name: string; readonly wanted: PackageRequest }
    | {
        readonly kind: 'ensure';
        readonly method: EnsureName;
        readonly args: unknown;
        readonly done: (value: unknown) => void;
      }
  );

/** A file whose content is known. */
export interface WantedFile extends Owned {
  readonly content: Uint8Array;
  readonly secret: boolean;
}

/** A service, with paths. */
interface WantedService {
  readonly enabled?: boolean;
  readonly running?: boolean;
  readonly seconds?: number;
  readonly restartOn: readonly string[];
  readonly reloadOn: readonly string[];
}

/** Which arguments name the object of a create method. */
const namedBy = {
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

const id = z.union([z.string().check(z.regex(/^[^:\s]+$/)), z.int().check(z.minimum(0))]);
const owned = {
  owner: z.exactOptional(id),
  group: z.exactOptional(id),
  mode: z.exactOptional(z.int().check(z.minimum(0), z.maximum(0o7777))),
};
const line = z.string().check(z.minLength(1), z.regex(/^[^\n\r\0]*$/, 'must be one line'));
const places = z.array(z.union([absolutePath, z.looseObject({ path: absolutePath })]));
const schemas = {
  file: z.strictObject({ content: z.unknown(), ...owned }),
  directory: z.strictObject(owned),
  package: z
    .strictObject({
      version: z.exactOptional(packageVersion),
      hold: z.exactOptional(z.boolean()),
      absent: z.exactOptional(z.union([z.literal(true), z.literal('purged')])),
    })
    .check(
      z.refine(
        ({ version, hold, absent }) => absent === undefined || (version === undefined && hold === undefined),
        'an absent package has no version and is not held',
      ),
    ),
  service: z.strictObject({
    enabled: z.exactOptional(z.boolean()),
    running: z.exactOptional(z.boolean()),
    seconds: z.exactOptional(z.int().check(z.minimum(0), z.maximum(600))),
    restartOn: z.exactOptional(places),
    reloadOn: z.exactOptional(places),
  }),
  link: z.strictObject({ to: z.string().check(z.minLength(1)) }),
  lines: z.strictObject({
    present: z.exactOptional(z.array(line)),
    absent: z.exactOptional(z.array(line)),
    replace: z.exactOptional(z.record(z.string().check(z.minLength(1)), line)),
  }),
};

/** Collects a description, in the order in which it is applied. Throws UsageError. */
export async function collect(description: HostDescription, facts: Facts): Promise<readonly Resource[]> {
  const given: unknown = description;
  if (
    typeof given !== 'object' ||
    given === null ||
    !('describe' in given) ||
    typeof given.describe !== 'function'
  )
    throw new UsageError('this is no description of a host: it has no function describe', {
      remedy: 'export default defineHost((h) => { … })',
    });
  const all: Resource[] = [];
  const add = (one: Resource): Described => {
    const rival = all.find((other) => isRival(one, other));
    if (rival === undefined) all.push(one);
    else if (!isSame(one, rival)) throw conflict(one, rival);
    return { path: one.path ?? '' };
  };
  const builder = {
    file: (path: string, request: FileRequest): Described => {
      const at = placeOf(builder.file);
      const { content, ...rest } = checked(at, path, 'file', request);
      return add({
        kind: 'file',
        identity: path,
        at,
        path,
        wanted: { ...rest, ...contentOf(at, path, content, facts) },
      });
    },
    directory: (path: string, request: Owned = {}): Described => {
      const at = placeOf(builder.directory);
      return add({
        kind: 'directory',
        identity: path,
        at,
        path,
        wanted: checked(at, path, 'directory', request),
      });
    },
    link: (path: string, request: { readonly to: string }): Described => {
      const at = placeOf(builder.link);
      return add({ kind: 'link', identity: path, at, path, ...checked(at, path, 'link', request) });
    },
    absent: (path: string): Described => {
      const at = placeOf(builder.absent);
      checkPath(at, path);
      return add({ kind: 'absent', identity: path, at, path });
    },
    package: (name: string, request: PackageRequest = {}): void => {
      const at = placeOf(builder.package);
      const what = `${at}: h.package ${name}`;
      parsed(what, packageName, name);
      const wanted = parsed(what, schemas.package, request);
      add({ kind: 'package', identity: `package ${name}`, at, name, wanted });
    },
    lines: (path: string, request: LinesRequest): Described => {
      const at = placeOf(builder.lines);
      const wanted = checked(at, path, 'lines', request);
      for (const each of wanted.present ?? [])
        if (wanted.absent?.includes(each) === true)
          throw new UsageError(`${at}: the line "${each}" of ${path} is both present and absent`);
      return add({ kind: 'lines', identity: path, at, path, wanted });
    },
    service: (name: string, request: ServiceRequest): void => {
      const at = placeOf(builder.service);
      const given: unknown = name;
      const unit = typeof given === 'string' && !given.includes('.') ? `${given}.service` : given;
      const { success, data = '' } = unitName.safeParse(unit);
      if (!success)
        throw new UsageError(`${at}: h.service ${String(given)}: is no name of a unit`, {
          remedy: 'name a service, socket, timer, path or target: nginx, backup.timer',
        });
      const { restartOn, reloadOn, ...rest } = parsed(`${at}: h.service ${data}`, schemas.service, request);
      const wanted = { ...rest, restartOn: pathsOf(restartOn), reloadOn: pathsOf(reloadOn) };
      add({ kind: 'service', identity: `service ${data}`, at, unit: data, wanted });
    },
    ensure: collecting(add),
  };
  await description.describe(builder, facts);
  for (const one of all)
    if (one.kind === 'service')
      for (const path of [...one.wanted.restartOn, ...one.wanted.reloadOn])
        if (!all.some((other) => other.path !== undefined && reads([path], other.path)))
          throw new UsageError(`${one.at}: ${one.unit} reads ${path}, which is not described`, {
            remedy: 'describe it, or correct the path',
          });
  return inOrder(all);
}

/** `h.ensure`: each create method of each driver adds a resource. */
function collecting(add: (one: Resource) => unknown): HostBuilder['ensure'] {
  const drivers: Record<string, Record<string, unknown>> = {};
  for (const [name, keys] of Object.entries(namedBy)) {
    const [driver = '', method = ''] = name.split('.');
    const call = (args: unknown): Later<unknown> => {
      const at = placeOf(call);
      const result: { value?: readonly [unknown] } = {};
      const done = (value: unknown): void => void (result.value = [value]);
      const asked = typeof args === 'object' && args !== null ? new Map(Object.entries(args)) : undefined;
      // Arguments that come later name nothing yet.
      const named =
        asked === undefined
          ? at
          : keys.flatMap((key) => (asked.has(key) ? [String(asked.get(key))] : [])).join(' ');
      const path: unknown = name === 'mount.mount' ? asked?.get('path') : undefined;
      add({
        ...{ kind: 'ensure', identity: `${name} ${named}`, at, method: name as EnsureName, args, done },
        ...(typeof path === 'string' ? { path } : {}),
      });
      return () => {
        if (result.value !== undefined) return result.value[0];
        throw new UsageError(`${at}: ${name} has no value before its turn`, {
          remedy: 'use it in a function: h.ensure.filesystem.create(() => ({ device: loop().device, … }))',
        });
      };
    };
    (drivers[driver] ??= {})[method] = call;
  }
  return drivers as unknown as HostBuilder['ensure'];
}

function checked<K extends keyof typeof schemas>(
  at: string,
  path: string,
  kind: K,
  request: unknown,
): z.output<(typeof schemas)[K]> {
  checkPath(at, path);
  return parsed(`${at}: h.${kind} ${path}`, schemas[kind], request) as z.output<(typeof schemas)[K]>;
}

function checkPath(at: string, path: string): void {
  const result = absolutePath.safeParse(path);
  if (!result.success)
    throw new UsageError(`${at}: ${path}: ${result.error.issues[0]?.message ?? 'is no path'}`);
}

function contentOf(
  at: string,
  path: string,
  content: unknown,
  facts: Facts,
): Pick<WantedFile, 'content' | 'secret' | 'mode'> {
  const made: unknown =
    typeof content === 'function' ? (content as (facts: Facts) => unknown)(facts) : content;
  if (typeof made === 'string') return { content: Buffer.from(made, 'utf8'), secret: false };
  if (made instanceof Secret) return { content: made.reveal(), secret: true };
  if (made instanceof Uint8Array) return { content: made, secret: false };
  throw new UsageError(`${at}: the content of ${path} must be a text, bytes or a Secret, not ${typeof made}`);
}

/** Whether two resources are about one object. Several may name lines of one file. */
function isRival(one: Resource, other: Resource): boolean {
  if (one.identity !== other.identity) return false;
  if (one.kind !== 'lines' || other.kind !== 'lines') return true;
  return isSame(one, other) || linesDiffer(one.wanted, other.wanted);
}

/** Whether they cannot both be true. */
function linesDiffer(one: LinesRequest, other: LinesRequest): boolean {
  const both = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
    a.some((each) => b.includes(each));
  const made = (of: LinesRequest): readonly string[] => [
    ...(of.present ?? []),
    ...Object.values(of.replace ?? {}),
  ];
  if (both(made(one), other.absent) || both(made(other), one.absent)) return true;
  return Object.entries(one.replace ?? {}).some(([prefix, text]) =>
    Object.entries(other.replace ?? {}).some(
      ([rival, its]) => (prefix.startsWith(rival) || rival.startsWith(prefix)) && its !== text,
    ),
  );
}

function isSame(one: Resource, other: Resource): boolean {
  const what = (each: Resource): object => ({ ...each, at: undefined, done: undefined });
  return isDeepStrictEqual(what(one), what(other));
}

function conflict(one: Resource, other: Resource): UsageError {
  const what = (each: Resource): string =>
    each.kind === 'ensure' || each.kind === 'package' || each.kind === 'service'
      ? each.identity
      : `${each.kind} ${each.path}`;
  return new UsageError(
    `the description contradicts itself: ${what(other)} at ${other.at}, and ${what(one)} at ${one.at}`,
    { remedy: 'describe it once, or both times alike' },
  );
}

function pathsOf(all: readonly (Described | string)[] = []): readonly string[] {
  return all.map((each) => (typeof each === 'string' ? each : each.path));
}

/** Whether a path is one of the others, or in one of them. */
export function reads(all: readonly string[], path: string): boolean {
  return all.some((each) => each === path || isIn(path, each));
}

/** Whether it is the unit file, or a drop-in of it. */
export function isFileOf(unit: string, path: string): boolean {
  const own = posix.join(unitDirectory, unit);
  return path === own || isIn(path, `${own}.d`);
}

/** As described, but a directory before what is in it, and a service after what it reads. */
function inOrder(all: readonly Resource[]): readonly Resource[] {
  const ordered = [...all];
  const directories = all.filter(({ kind }) => kind === 'directory');
  for (const directory of directories.toSorted((a, b) => (b.path ?? '').length - (a.path ?? '').length)) {
    const from = ordered.indexOf(directory);
    const to = ordered.findIndex(({ path }) => path !== undefined && isIn(path, directory.path ?? ''));
    if (to >= 0 && to < from) ordered.splice(to, 0, ...ordered.splice(from, 1));
  }
  for (const one of all) {
    if (one.kind !== 'service') continue;
    const all = [...one.wanted.restartOn, ...one.wanted.reloadOn];
    const last = ordered.findLastIndex(
      ({ path }) => path !== undefined && (reads(all, path) || isFileOf(one.unit, path)),
    );
    const from = ordered.indexOf(one);
    if (last > from) ordered.splice(last, 0, ...ordered.splice(from, 1));
  }
  return ordered;
}

/** Whether a path is somewhere in a directory. */
export function isIn(path: string, directory: string): boolean {
  return path !== directory && !posix.relative(directory, path).startsWith('..');
}

/** `FILE:LINE` of the caller of a method. */
function placeOf(method: (...args: never[]) => unknown): string {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, method);
  const frame = here.stack?.split('\n')[1] ?? '';
  const { file, line: at } =
    /(?:file:\/\/)?(?<file>\/[^()]*?):(?<line>\d+):\d+\)?$/.exec(frame)?.groups ?? {};
  return file === undefined || at === undefined ? 'the description' : `${file}:${at}`;
}
