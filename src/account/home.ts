import { posix } from 'node:path';
import type { ChangeHost, ReadHost } from '../command/index.ts';

const skel = '/etc/skel';

/** A path in a new home. */
interface Entry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
}

/**
 * Returns the entries of a home, directories before their content, if it contains only copies of
 * /etc/skel, complete or not: each entry belongs to the user (or root), and each file is the
 * beginning of its original. Undefined for any other home.
 */
export async function entriesOfNew(
  host: ReadHost,
  { home, uid }: { readonly home: string; readonly uid: number },
): Promise<readonly Entry[] | undefined> {
  const entries: Entry[] = [];
  const isCopy = async (path: string, original: string): Promise<boolean> => {
    const [stat, like] = [await host.stat(path), await host.stat(original)];
    // useradd creates each entry as root, and then changes the owner.
    if (stat === undefined || (stat.uid !== uid && stat.uid !== 0)) return false;
    const { kind } = stat;
    if (kind === 'directory' && (like?.kind === 'directory' || path === home)) {
      entries.push({ path, kind });
      for (const name of await host.readDir(path))
        if (!(await isCopy(posix.join(path, name), posix.join(original, name)))) return false;
      return true;
    }
    entries.push({ path, kind: kind === 'symlink' ? kind : 'file' });
    if (kind !== like?.kind) return false;
    // In the copy, a link into /etc/skel leads into the home instead.
    if (kind === 'symlink')
      return (await host.readLink(path)) === (await host.readLink(original)).replace(skel, home);
    if (kind !== 'file' || stat.size > like.size) return false;
    const content = await host.readFile(path);
    return Buffer.compare(content, (await host.readFile(original)).subarray(0, content.length)) === 0;
  };
  return (await isCopy(home, skel)) ? entries : undefined;
}

/** Removes the home of a removed user, if it contains only copies of /etc/skel. */
export async function removeNewHome(
  host: ChangeHost,
  of: { readonly home: string; readonly uid: number },
): Promise<void> {
  for (const { path, kind } of ((await entriesOfNew(host, of)) ?? []).toReversed())
    await (kind === 'directory' ? host.removeDir(path) : host.removeFile(path));
}

/** Makes a new home durable. */
export async function syncHome(
  host: ChangeHost,
  of: { readonly home: string; readonly uid: number },
): Promise<void> {
  for (const { path, kind } of (await entriesOfNew(host, of)) ?? [])
    if (kind !== 'symlink') await host.sync(path);
  const above = posix.dirname(of.home);
  if ((await host.stat(above))?.kind === 'directory') await host.sync(above);
}
