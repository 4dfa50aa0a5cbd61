import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { Store } from '../atomic/journal/store.ts';
import { JournalError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { ReadHost } from '../command/index.ts';
import { sha256 } from '../file/path.ts';
import { filesOf } from './apt-source.ts';
import type { Resource } from './resource.ts';
import type { CreatedObject, HostChange } from './steps.ts';
import { identityOn, isThereOn, keyOf, pruned, undescribedOf } from './undescribed.ts';

const object = z.strictObject({
  kind: z.enum(['file', 'directory', 'link', 'user', 'group', 'package']),
  name: z.string(),
  identity: z.exactOptional(z.string()),
});

/** The description that created objects. Each description has its own list. */
export interface Owner {
  /** Name of the host; '' for the host that bofh runs on. */
  readonly host: string;
  /** Path of the file with the description. */
  readonly file: string;
}

const kept = z.strictObject({
  format: z.literal(1),
  host: z.string(),
  file: z.string(),
  objects: z.readonly(z.array(object)),
});

function nameOf({ host, file }: Owner): string {
  return `created-${createHash('sha256').update(`${host}\0${file}`).digest('hex').slice(0, 16)}.json`;
}

/**
 * Reads which objects the description has created. JournalError for a file that bofh did not write.
 */
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

function isAbsent(one: Resource): boolean {
  if (one.kind === 'absent') return true;
  const isNamed = one.kind === 'package' || one.kind === 'user' || one.kind === 'group';
  return isNamed && one.wanted.absent !== undefined;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Records the objects that an apply created, after its commit. If the process is killed before
 * that, nothing is recorded, and bofh never removes these objects.
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
  const objects = new Map(before.map((one) => [keyOf(one), one]));
  for (const change of changes) {
    const { action, name, created = [] } = change;
    const is = object.shape.kind.safeParse(change.kind === 'lines' ? 'file' : change.kind);
    const one = is.success ? { kind: is.data, name } : undefined;
    if (one !== undefined && action === 'remove') objects.delete(keyOf(one));
    else if (one !== undefined && (action === 'create' || objects.has(keyOf(one)))) {
      const wanted = resources.find(({ kind, path }) => kind === 'file' && path === name);
      // A change has no content of a secret file.
      const bytes = wanted?.kind === 'file' ? wanted.wanted.content : change.content?.after;
      const identity =
        one.kind !== 'file' ? await identityOn(host, one) : bytes === undefined ? undefined : sha256(bytes);
      objects.set(keyOf(one), { ...one, ...present({ identity }) });
    }
    for (const each of created) objects.set(keyOf(each), each);
  }
  // The change of a repository does not name its files.
  for (const one of resources)
    for (const { path, text } of one.kind === 'apt-source' ? filesOf(one) : []) {
      const known = objects.get(path);
      if (known !== undefined) objects.set(path, { ...known, identity: sha256(Buffer.from(text)) });
    }
  // A missing object is forgotten, also one that is described as absent: if others create it again,
  // it belongs to them.
  const isThere = isThereOn(host);
  const described = resources.filter((one) => one.at !== pruned && !isAbsent(one));
  for (const one of undescribedOf([...objects.values()], described))
    if (!(await isThere(one))) objects.delete(keyOf(one));
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
