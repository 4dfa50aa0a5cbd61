import { posix } from 'node:path';
import { type ChangeHost, inShell, namesIn, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { emptyDirectory } from '../file/empty-directory.ts';
import { download, filesOfDeb, owned, repack } from './commands.ts';
import { type ChangedPackage, isFetched, isReplaced } from './plan.ts';

/**
 * Returns the directory of a step: `new` contains the packages that it installs, `old` those that
 * its undo needs.
 */
export function storeOf(mark: string): string {
  return `/var/lib/bofh/packages-${mark}`;
}

/** Fills the store directory. Changes nothing else on the host. */
export async function fillStore(
  host: ChangeHost,
  store: string,
  packages: readonly ChangedPackage[],
): Promise<void> {
  await host.makeDir(store, { mode: 0o700, parents: true });
  await host.sync(posix.dirname(store));
  const wordOf = ({ name, before }: ChangedPackage): string => `${name}=${before?.version ?? ''}`;
  const parts = {
    new: packages.filter(isFetched).map(({ name, after }) => `${name}=${after?.version ?? ''}`),
    old: packages.filter((each) => isReplaced(each) && each.old !== 'repack').map(wordOf),
  };
  for (const [part, words] of Object.entries(parts)) {
    const directory = posix.join(store, part);
    await host.makeDir(directory, { mode: 0o700 });
    if (words.length > 0) await host.run(download(directory, words));
    if (part === 'old')
      for (const { name } of packages.filter(({ old }) => old === 'repack'))
        await host.run(repack(directory, name));
    const wanted = packages.filter(part === 'new' ? isFetched : isReplaced);
    const files = await debsIn(host, directory);
    const missing = wanted.filter(({ name }) => debOf(files, name, wanted) === undefined);
    if (missing.length > 0 || files.length !== wanted.length)
      throw new RefusedError(
        `apt reported success, but ${directory} does not contain the expected packages; missing: ${missing.map(({ name }) => name).join(', ')}`,
        { remedy: 'update the lists of apt: apt-get update; then run the command again' },
      );
    for (const file of files) await host.sync(file);
    await host.sync(directory);
  }
  await host.sync(store);
}

/** Returns the paths of the .deb files in a directory. */
export async function debsIn(host: ReadHost, directory: string): Promise<readonly string[]> {
  return (await namesIn(host, directory)).map((file) => posix.join(directory, file));
}

/**
 * Returns the .deb of a package among the files of these packages. `libc6` and `libc6:i386` differ
 * only in the end of their file names.
 */
export function debOf(
  files: readonly string[],
  name: string,
  packages: readonly Pick<ChangedPackage, 'name'>[],
): string | undefined {
  const [own = '', architecture] = name.split(':');
  const isOf = (file: string, each = ''): boolean => file.endsWith(`_${each}.deb`);
  const others = packages.flatMap((each) => each.name.split(':').slice(1));
  return files.find(
    (file) =>
      posix.basename(file).startsWith(`${own}_`) &&
      (architecture === undefined ? !others.some((each) => isOf(file, each)) : isOf(file, architecture)),
  );
}

/**
 * RefusedError if a new package would overwrite a file that belongs to no package. dpkg overwrites
 * such a file without a message, and deletes it when the package is removed later.
 */
export async function refuseForeignFiles(
  host: ReadHost,
  store: string,
  packages: readonly ChangedPackage[],
): Promise<void> {
  const files = await debsIn(host, posix.join(store, 'new'));
  for (const { name } of packages.filter(isFetched)) {
    const deb = debOf(files, name, packages);
    const paths = deb === undefined ? [] : await host.run(filesOfDeb(deb));
    const there = await existingPaths(host, paths);
    if (there.length === 0) continue;
    const foreign = await firstForeign(host, there);
    if (foreign !== undefined)
      throw new RefusedError(`${foreign} belongs to no package, and ${name} would overwrite it`, {
        code: 'exists',
        remedy: `move it away: mv ${inShell(foreign)} ${inShell(`${foreign}.old`)}`,
      });
  }
}

/**
 * Returns the first path that belongs to no package. Asks for some paths at a time: one command line
 * cannot hold the paths of a large package (E2BIG), over ssh at most 128 KiB.
 */
async function firstForeign(host: ReadHost, paths: readonly string[]): Promise<string | undefined> {
  for (let at = 0; at < paths.length; at += pathsAtATime) {
    const some = paths.slice(at, at + pathsAtATime);
    const known = new Set(await host.run(owned([...some, ...some.map(otherPlace)])));
    const foreign = some.find((path) => !known.has(path) && !known.has(otherPlace(path)));
    if (foreign !== undefined) return foreign;
  }
  return undefined;
}

const pathsAtATime = 200;

/**
 * Returns those of the paths that exist. Reads each directory once instead of each path, because a
 * package can have thousands of files.
 */
async function existingPaths(host: ReadHost, paths: readonly string[]): Promise<readonly string[]> {
  const directories = new Map<string, ReadonlySet<string>>();
  const there: string[] = [];
  for (const path of paths) {
    const directory = posix.dirname(path);
    const names =
      directories.get(directory) ??
      new Set((await debsIn(host, directory)).map((each) => posix.basename(each)));
    directories.set(directory, names);
    if (names.has(posix.basename(path))) there.push(path);
  }
  return there;
}

/**
 * Returns the other name of a path: /lib is a link to /usr/lib, and dpkg may know a file by either
 * name.
 */
function otherPlace(path: string): string {
  return path.startsWith('/usr/') ? path.slice('/usr'.length) : `/usr${path}`;
}

/** Removes the store directory and its content. */
export async function removeStore(host: ChangeHost, store: string): Promise<void> {
  if ((await host.stat(store)) === undefined) return;
  await host.run(emptyDirectory(store));
  await host.removeDir(store);
  await host.sync(posix.dirname(store));
}
