import { posix } from 'node:path';
import { groupNamed, userNamed, usersOf } from '../account/database.ts';
import { namesIn as filesIn, type ReadHost, textOf } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { sha256 } from '../file/path.ts';
import { knownPackages, removedWith } from '../packages/index.ts';
import { isEnabled } from '../service/enablement.ts';
import { unitDirectory } from '../service/links.ts';
import { isUp, showUnit, unitName } from '../service/unit.ts';
import { inOrder, isIn, namesIn, type Resource, writtenBy } from './resource.ts';
import type { CreatedObject } from './steps.ts';

/** The place of an object that no description contains. */
export const pruned = '--prune';

/** An object that the description created and does not contain any more. */
export interface Undescribed {
  readonly kind: CreatedObject['kind'];
  readonly name: string;
  /** Reason why bofh does not remove it. */
  readonly stays?: string;
}

/**
 * Returns the objects that a description created and does not contain any more, if they still
 * exist, with the resources that remove them: units first, then inner objects before outer ones.
 */
export async function undescribed(
  host: ReadHost,
  created: readonly CreatedObject[],
  resources: readonly Resource[],
): Promise<{ readonly objects: readonly Undescribed[]; readonly removal: readonly Resource[] }> {
  const paths = await pathsOf(host, resources);
  const left = undescribedOf(created, resources)
    // Leaves out a file that another resource writes, and a directory that is still needed.
    .filter(({ name }) => !paths.includes(name))
    .filter(({ kind, name }) => kind !== 'directory' || !paths.some((path) => isIn(path, name)))
    .toSorted(byName)
    .toReversed();
  const isThere = isThereOn(host);
  const objects: Undescribed[] = [];
  const removal: Resource[] = [];
  const gone = new Set<string>();
  const there: CreatedObject[] = [];
  for (const one of left) if (await isThere(one)) there.push(one);
  const namesOf = (of: CreatedObject['kind']): readonly string[] =>
    there.flatMap(({ kind, name }) => (kind === of ? [name] : []));
  const packages = namesOf('package');
  const users: string[] = [];
  for (const one of there)
    if (one.kind === 'user' && (await whyStays(host, one, { resources, gone, users })) === undefined)
      users.push(one.name);
  for (const one of there) {
    const { kind, name } = one;
    const stays =
      kind === 'package'
        ? await whyNeeded(host, name, packages)
        : await whyStays(host, one, { resources, gone, users });
    objects.push({ kind, name, ...present({ stays }) });
    if (stays !== undefined) continue;
    removal.push(...(await removing(host, one)));
    gone.add(name);
  }
  const order = ['service', 'absent', 'package', 'user', 'group'];
  // A service last, because a running socket, timer or path would start it again.
  const rank = (one: Resource): number =>
    order.indexOf(one.kind) - (one.kind === 'service' && !one.unit.endsWith('.service') ? 1 : 0);
  const sorted = removal.toSorted((a, b) => rank(a) - rank(b));
  return { objects: objects.toSorted(byName), removal: inOrder(sorted) };
}

export function undescribedOf(
  created: readonly CreatedObject[],
  resources: readonly Resource[],
): readonly CreatedObject[] {
  const identities = new Set(
    resources.flatMap((one) => [one.identity, ...(one.kind === 'apt-source' ? [one.wanted.signedBy] : [])]),
  );
  return created.filter((one) => !identities.has(keyOf(one)));
}

/** Returns the paths that the resources may write. */
async function pathsOf(host: ReadHost, resources: readonly Resource[]): Promise<readonly string[]> {
  const all = resources.flatMap(writtenBy);
  for (const one of resources) {
    if (one.kind !== 'user' || one.wanted.absent === true) continue;
    const home = one.wanted.home ?? (await userNamed(host, one.name))?.home;
    if (home === undefined) continue;
    all.push(home);
    if (one.wanted.authorizedKeys !== undefined) all.push(posix.join(home, '.ssh/authorized_keys'));
  }
  return all;
}

/** Whether an object is on the host. */
export function isThereOn(host: ReadHost): (one: CreatedObject) => Promise<boolean> {
  let packages: ReturnType<typeof knownPackages> | undefined;
  return async ({ kind, name }) => {
    switch (kind) {
      case 'package':
        return (await (packages ??= knownPackages(host))).get(name)?.status === 'installed';
      case 'user':
        return (await userNamed(host, name)) !== undefined;
      case 'group':
        return (await groupNamed(host, name)) !== undefined;
      default:
        return (await host.stat(name)) !== undefined;
    }
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

export function keyOf({ kind, name }: CreatedObject): string {
  return kind === 'user' || kind === 'group' || kind === 'package' ? `${kind} ${name}` : name;
}

/**
 * Returns what distinguishes an object from another one with its name: the hash of a file's
 * content, the target of a link, inode and birth time of a directory, the uid or gid of a user or
 * group; a package has only its name. Undefined: it is something else.
 */
export async function identityOn(host: ReadHost, { kind, name }: CreatedObject): Promise<string | undefined> {
  switch (kind) {
    case 'package':
      return '';
    case 'user':
      return String((await userNamed(host, name))?.uid);
    case 'group':
      return String((await groupNamed(host, name))?.gid);
    default:
  }
  const found = await host.stat(name);
  if (found?.kind !== (kind === 'link' ? 'symlink' : kind)) return undefined;
  if (kind === 'file') return sha256(await host.readFile(name));
  return kind === 'link' ? host.readLink(name) : `${found.inode} ${found.birth ?? ''}`.trim();
}

/** Reason why a package stays: others, which the description has not created, need it. */
async function whyNeeded(
  host: ReadHost,
  name: string,
  packages: readonly string[],
): Promise<string | undefined> {
  const all = await removedWith(host, [name]).catch((error: unknown) => {
    if (error instanceof RefusedError) return error;
    throw error;
  });
  if (all instanceof RefusedError) return all.message;
  const needs = all.filter((each) => !packages.includes(each));
  if (needs.length === 0) return undefined;
  return `apt would also remove ${needs.slice(0, 3).join(', ')}${needs.length > 3 ? ', …' : ''}`;
}

async function whyStays(
  host: ReadHost,
  one: CreatedObject,
  {
    resources,
    gone,
    users,
  }: {
    readonly resources: readonly Resource[];
    readonly gone: ReadonlySet<string>;
    /** The users that go. */
    readonly users: readonly string[];
  },
): Promise<string | undefined> {
  const { kind, name } = one;
  const by = resources.find((each) => isUsedBy(one, each));
  if (by !== undefined) return `the description still uses it: ${by.at}`;
  const now = await identityOn(host, one);
  if (now === undefined) return `it is no ${kind} now`;
  if (one.identity === undefined) return 'bofh does not know its content';
  if (now !== one.identity) return kind === 'file' ? 'it was edited since' : `it is another ${kind} now`;
  const source = await sourceWithKey(host, one, gone);
  if (source !== undefined) return `${source} names it`;
  if (kind === 'group') {
    const { gid, members = [] } = (await groupNamed(host, name)) ?? {};
    const owners = (await usersOf(host)).filter((each) => each.gid === gid);
    const needs = [...owners.map((each) => each.name), ...members].filter((each) => !users.includes(each));
    return needs.length === 0
      ? undefined
      : `it has the members ${needs.slice(0, 3).join(', ')}${needs.length > 3 ? ', …' : ''}`;
  }
  if (kind !== 'directory') return undefined;
  const others = (await host.readDir(name)).filter((each) => !gone.has(`${name}/${each}`));
  if (others.length === 0) return undefined;
  return `it also has ${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''}`;
}

/** Returns the file of a repository that stays, and needs this key. */
async function sourceWithKey(
  host: ReadHost,
  { kind, name }: CreatedObject,
  gone: ReadonlySet<string>,
): Promise<string | undefined> {
  if (kind !== 'file' || !isIn(name, '/etc/apt/keyrings')) return undefined;
  const directory = '/etc/apt/sources.list.d';
  for (const path of (await filesIn(host, directory)).map((each) => posix.join(directory, each)))
    if (!gone.has(path) && ((await textOf(host, path)) ?? '').includes(name)) return path;
  return undefined;
}

/**
 * Whether a resource needs an object that has no description of its own: the file or a link of a
 * unit, or the owner of a file.
 */
function isUsedBy({ kind, name, identity }: CreatedObject, by: Resource): boolean {
  if (kind === 'user' || kind === 'group')
    return namesIn(by, kind).some(
      (each) => each === name || (typeof each === 'number' && String(each) === identity),
    );
  return by.kind === 'service' && isIn(name, unitDirectory) && posix.basename(name) === by.unit;
}

/**
 * Returns the resources that remove an object, as if it were described as absent. A unit is stopped
 * and disabled before its file is removed.
 */
async function removing(host: ReadHost, one: CreatedObject): Promise<readonly Resource[]> {
  const { kind, name } = one;
  const at = pruned;
  if (kind === 'package' || kind === 'user' || kind === 'group')
    return [{ kind, identity: keyOf(one), at, name, wanted: { absent: true } }];
  const absent: Resource = { kind: 'absent', identity: name, at, path: name, emptied: [] };
  const unit = name.slice(unitDirectory.length + 1);
  if (name !== `${unitDirectory}/${unit}` || !unitName.safeParse(unit).success) return [absent];
  const found = await host.run(showUnit(unit));
  const wanted = {
    ...(isEnabled(found) ? { enabled: false } : {}),
    ...(isUp(found) ? { running: false } : {}),
    restartOn: [],
    reloadOn: [],
  };
  return [{ kind: 'service', identity: `service ${unit}`, at, unit, wanted }, absent];
}
