import { posix } from 'node:path';
import { follow, inShell, orMissing, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { realPath } from '../mount/index.ts';

/** xendomains starts the guests in this directory at boot (XENDOMAINS_AUTO of /etc/default/xendomains). */
const directory = '/etc/xen/auto';

/** The symbolic links by which xendomains starts the guest of a config file at boot. */
export async function autostartLinks(host: ReadHost, config: string): Promise<readonly string[]> {
  const found: string[] = [];
  const wanted = await resolved(host, config);
  for (const name of (await namesIn(host)) ?? []) {
    const path = posix.join(directory, name);
    if ((await host.stat(path))?.kind === 'symlink' && (await resolved(host, path)) === wanted)
      found.push(path);
  }
  return found;
}

/**
 * A path without links, also of a file that does not exist: the site, or the link, may name its
 * directory by a link.
 */
async function resolved(host: ReadHost, path: string): Promise<string> {
  const { path: at } = await follow(host, path);
  const above = await orMissing(realPath(host, posix.dirname(at)));
  return above === undefined ? at : posix.join(above, posix.basename(at));
}

/** The path of a guest's new link. Throws RefusedError if it cannot be created. */
export async function autostartPath(host: ReadHost, name: string): Promise<string> {
  const path = posix.join(directory, `${name}.cfg`);
  if ((await namesIn(host)) === undefined)
    throw new RefusedError(`there is no directory ${directory}: xendomains starts no guest at boot`, {
      code: 'not-found',
      remedy: `create it: mkdir ${inShell(directory)}; and install xendomains: apt-get install xen-utils-common`,
    });
  const there = await host.stat(path);
  if (there === undefined) return path;
  throw new RefusedError(`${path} exists already, and is not a link to the configuration of ${name}`, {
    code: 'exists',
    remedy: `see what it is: ls -l ${inShell(path)}`,
  });
}

async function namesIn(host: ReadHost): Promise<readonly string[] | undefined> {
  return await orMissing(host.readDir(directory));
}
