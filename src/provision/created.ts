import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { groupNamed, userNamed } from '../account/database.ts';
import type { Store } from '../atomic/journal/store.ts';
import { JournalError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { ReadHost } from '../command/index.ts';
import { sha256 } from '../file/path.ts';
import { knownPackages } from '../packages/index.ts';
import { unitDirectory } from '../service/links.ts';
import { isUp, showUnit, unitName } from '../service/unit.ts';
import { inOrder, isIn, type Resource } from './resource.ts';
import { isEnabled } from '../service/enablement.ts';
import type { CreatedObject, HostChange } from './steps.ts';

const object = z.strictObject({
  kind: z.enum(['file', 'directory', 'link', 'user', 'group', 'package']),
  name: z.string(),
  sha256: z.exactOptional(z.string()),
});

/** Whose objects these are. Another description has its own. */
export interface Owner {
  /** Name of the host; '' is this one. */
  readonly host: string;
  /** Path of the file with the description. */
  readonly file: string;
}

/** The place of what no description has. */
const pruned = '--prune';

const kept = z.strictObject({
  format: z.literal(1),
  host: z.string(),
  file: z.string(),
  objects: z.readonly(z.array(object)),
});

function nameOf({ host, file }: Owner): string {
  return `created-${createHash('sha256').update(`${host}\0${file}`).digest('hex').slice(0, 16)}.json`;
}

/** What the description created before. Throws JournalError for a file that bofh did not write. */
export function readCreated(store: Store, owner: Owner): readonly CreatedObject[] {
  const name = nameOf(owner);
  const file = store.open(name);
  if (file === undefined) return [];
  try {
    const found = kept.safeParse(jsonIn(Buffer.from(file.read()).toString()));
    if (found.success) return found.data.objects;
  } finally {
    file.close();
  }
  throw new JournalError(`${store.directory}/${name} is not as bofh writes it`, {
    remedy: `remove it (rm ${store.directory}/${name}): bofh then forgets what ${owner.file} created, and changes nothing`,
  });
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Remembers what an apply created, after its commit: a process that dies in between forgets it, and nothing is removed that bofh
 * is not sure of.
 */
export async function remember(
  { host, engine: { store } }: { readonly host: ReadHost; readonly engine: { readonly store: Store } },
  owner: Owner,
  {
    changes,
    resources,
  }: { readonly changes: readonly HostChange[]; readonly resources: readonly Resource[] },
): Promise<void> {
  const before = readCreated(store, owner);
  const objects = new Map(before.map((one) => [identityOf(one), one]));
  for (const change of changes) {
    const { action, name, created = [] } = change;
    const is = object.shape.kind.safeParse(change.kind === 'lines' ? 'file' : change.kind);
    const one = is.success ? { kind: is.data, name } : undefined;
    if (one !== undefined && action === 'remove') objects.delete(identityOf(one));
    else if (one !== undefined && (action === 'create' || objects.has(identityOf(one)))) {
      const wanted = resources.find(({ kind, path }) => kind === 'file' && path === name);
      // The content of a secret file is in no change.
      const bytes = wanted?.kind === 'file' ? wanted.wanted.content : change.content?.after;
      const isFile = one.kind === 'file' && bytes !== undefined;
      objects.set(identityOf(one), { ...one, ...(isFile ? { sha256: sha256(bytes) } : {}) });
    }
    for (const each of created) objects.set(identityOf(each), each);
  }
  // What is gone may come back by others, and is theirs then.
  const isThere = isThereOn(host);
  const described = resources.filter(({ at }) => at !== pruned);
  for (const one of undescribedOf([...objects.values()], described))
    if (!(await isThere(one))) objects.delete(identityOf(one));
  const now = [...objects.values()];
  if (JSON.stringify(now) === JSON.stringify(before)) return;
  const name = nameOf(owner);
  store.remove(`${name}.next`);
  const file = store.create(`${name}.next`);
  try {
    const bytes = Buffer.from(`${JSON.stringify({ format: 1, ...owner, objects: now })}\n`);
    for (let at = 0; at < bytes.length; ) at += file.write(bytes.subarray(at), at);
    file.datasync();
  } finally {
    file.close();
  }
  store.rename(`${name}.next`, name);
  store.syncDir('.');
}

/** An object that the description created and describes no longer. */
export interface Undescribed {
  readonly kind: CreatedObject['kind'];
  readonly name: string;
  /** Why bofh does not remove it. */
  readonly stays?: string;
}

/**
 * What a description created, describes no longer, and is still there, with what removes it: units first, then from
 * the inside to the outside.
 */
export async function undescribed(
  host: ReadHost,
  created: readonly CreatedObject[],
  resources: readonly Resource[],
): Promise<{ readonly objects: readonly Undescribed[]; readonly removal: readonly Resource[] }> {
  const left = undescribedOf(created, resources)
    // A directory that is needed.
    .filter(({ kind, name }) => kind !== 'directory' || !resources.some(({ path = '/' }) => isIn(path, name)))
    .toSorted(byName)
    .toReversed();
  const isThere = isThereOn(host);
  const objects: Undescribed[] = [];
  const removal: Resource[] = [];
  const gone = new Set<string>();
  for (const one of left) {
    const { kind, name } = one;
    if (!(await isThere(one))) continue;
    const stays = await whyStays(host, one, gone);
    objects.push({ kind, name, ...present({ stays }) });
    if (stays !== undefined) continue;
    removal.push(...(await removing(host, one)));
    gone.add(name);
  }
  const order = ['service', 'absent', 'package', 'user', 'group'];
  const sorted = removal.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return { objects: objects.toSorted(byName), removal: inOrder(sorted) };
}

function undescribedOf(
  created: readonly CreatedObject[],
  resources: readonly Resource[],
): readonly CreatedObject[] {
  const identities = new Set(
    resources.flatMap((one) => [one.identity, ...(one.kind === 'apt-source' ? [one.wanted.signedBy] : [])]),
  );
  return created.filter((one) => !identities.has(identityOf(one)));
}

/** Whether an object is on the host. */
function isThereOn(host: ReadHost): (one: CreatedObject) => Promise<boolean> {
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

function identityOf({ kind, name }: CreatedObject): string {
  return kind === 'user' || kind === 'group' || kind === 'package' ? `${kind} ${name}` : name;
}

async function whyStays(
  host: ReadHost,
  one: CreatedObject,
  gone: ReadonlySet<string>,
): Promise<string | undefined> {
  const { kind, name } = one;
  if (kind === 'file') {
    const found = await host.stat(name);
    if (found?.kind !== 'file') return 'it is no file now';
    if (one.sha256 === undefined) return 'bofh does not know its content';
    return sha256(await host.readFile(name)) === one.sha256 ? undefined : 'it was edited since';
  }
  if (kind === 'link') return (await host.stat(name))?.kind === 'symlink' ? undefined : 'it is no link now';
  if (kind !== 'directory') return undefined;
  if ((await host.stat(name))?.kind !== 'directory') return 'it is no directory now';
  const others = (await host.readDir(name)).filter((each) => !gone.has(`${name}/${each}`));
  return others.length === 0 ? undefined : `it has ${String(others.length)} other entries`;
}

/** As if they were described as absent. A unit is stopped and disabled before its file goes. */
async function removing(host: ReadHost, one: CreatedObject): Promise<readonly Resource[]> {
  const { kind, name } = one;
  const at = pruned;
  if (kind === 'package' || kind === 'user' || kind === 'group')
    return [{ kind, identity: identityOf(one), at, name, wanted: { absent: true } }];
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
