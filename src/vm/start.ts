import type { ReadHost } from '../command/index.ts';
import { type Resource, resources } from '../drbd/index.ts';
import { CommandError } from '../errors.ts';
import { realPath } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import { readGuestConfig } from '../xen/index.ts';

/** The resource that a path leads to a device of; undefined: to none that is up, or to nothing. */
export async function resourceAt(
  host: ReadHost,
  all: readonly Resource[],
  path: string,
): Promise<Resource | undefined> {
  const minor = await minorAt(host, path);
  return all.find(({ state }) => state?.volumes.some((each) => each.minor === minor));
}

/** The number of the device of DRBD that a path leads to; undefined: to none. */
export async function minorAt(host: ReadHost, path: string): Promise<number | undefined> {
  const minor = /^\/dev\/drbd(?<minor>\d+)$/.exec(await leadsTo(host, path))?.groups?.minor;
  return minor === undefined ? undefined : Number(minor);
}

/** Starts a guest from its configuration. A replicated disk of it that no host is primary of becomes so here, as after a boot. */
export async function startVm(
  tx: Tx,
  { host, config, name }: { readonly host: ReadHost; readonly config: string; readonly name: string },
): Promise<{ readonly domid: number }> {
  for (const resource of await secondaries(host, config)) await tx.drbd.primary({ name: resource });
  return await tx.xen.create({ config, name });
}

/** Resources of its disks that this host is secondary of. */
async function secondaries(host: ReadHost, config: string): Promise<readonly string[]> {
  const { disks } = await readGuestConfig(host, config);
  const paths = disks.flatMap(({ path }) => (path?.startsWith('/dev/drbd') === true ? [path] : []));
  if (paths.length === 0) return [];
  const all = await resources(host);
  const found = new Set<string>();
  for (const path of paths) {
    const resource = await resourceAt(host, all, path);
    if (resource?.state?.role === 'Secondary') found.add(resource.name);
  }
  return [...found].sort();
}

async function leadsTo(host: ReadHost, path: string): Promise<string> {
  try {
    return await realPath(host, path);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return path;
    throw error;
  }
}
