import { orMissing, type ReadHost } from '../command/index.ts';
import { until } from '../blockdevice/index.ts';
import { type Connection, type Resource, resourceNamed, resources } from '../drbd/index.ts';
import { RefusedError } from '../core/errors.ts';
import { realPath } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import { type Disk, readGuestConfig } from '../xen/index.ts';
import { resourceNameOf } from './guest-file.ts';
import { milliseconds } from '../core/request.ts';
import * as z from 'zod/mini';
import { option } from '../core/option.ts';

/**
 * The DRBD resource of the device at a path; undefined if the path is not the device of a resource that is
 * up.
 */
export async function resourceAt(
  host: ReadHost,
  all: readonly Resource[],
  path: string,
): Promise<Resource | undefined> {
  const minor = await minorAt(host, path);
  return all.find(({ state }) => state?.volumes.some((each) => each.minor === minor));
}

/** The DRBD resource of a disk, which names its device or the resource itself. */
export async function resourceOf(
  host: ReadHost,
  all: readonly Resource[],
  disk: Disk,
): Promise<Resource | undefined> {
  const byName = resourceNameOf(disk);
  if (byName !== undefined) return all.find(({ name }) => name === byName);
  return disk.path === undefined ? undefined : await resourceAt(host, all, disk.path);
}

/** The minor number of the DRBD device at a path; undefined if it is not one. */
export async function minorAt(host: ReadHost, path: string): Promise<number | undefined> {
  const minor = /^\/dev\/drbd(?<minor>\d+)$/.exec(await leadsTo(host, path))?.groups?.minor;
  return minor === undefined ? undefined : Number(minor);
}

/** Options of `start`, by name. */
export const startShape = {
  /**
   * Time limit, in milliseconds, for the connection of the two hosts of a replicated disk, for example after
   * a boot (default: 30000).
   */
  connectMs: z.exactOptional(milliseconds),
  /** Start without the other host. You must know that it is down, does not run the guest and has no newer data. */
  alone: z.exactOptional(z.boolean()),
};

export const startOptions = z.strictObject(startShape);

/** Options of the start of a guest. */
export type StartOptions = Readonly<z.input<typeof startOptions>>;

/**
 * Starts a guest from its configuration. A replicated disk that is primary on no host, for example after a
 * boot, is promoted here: only while the two hosts are connected, because otherwise the other host may be
 * primary, or may have been primary.
 */
export async function startVm(
  tx: Tx,
  options: StartOptions & { readonly host: ReadHost; readonly config: string; readonly name: string },
): Promise<{ readonly domid: number }> {
  const { host, config, name, connectMs = 30_000, alone = false } = options;
  for (const resource of await secondaries(host, config, { named: true })) {
    const limitMs = tx.planning ? 0 : connectMs;
    if (!alone) await refuseUnconnected(host, { guest: name, resource, limitMs, signal: tx.signal });
    await tx.drbd.primary({ name: resource });
  }
  return await tx.xen.create({ config, name });
}

/**
 * Throws RefusedError while the other host may have newer data of a resource; at once if this host is not
 * connecting to it.
 */
async function refuseUnconnected(
  host: ReadHost,
  asked: {
    readonly guest: string;
    readonly resource: string;
    readonly limitMs: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { guest, resource: name, limitMs, signal } = asked;
  let at: Pick<Connection, 'peer' | 'state'> | undefined;
  const check = async (): Promise<boolean> => {
    signal.throwIfAborted();
    const { state } = await resourceNamed(host, name);
    // DRBD forgets the connection after `drbdsetup del-peer`.
    at =
      state?.connections.length === 0
        ? { peer: 'the other host', state: 'StandAlone' }
        : state?.connections.find((each) => each.state !== 'Connected');
    return at === undefined || at.state === 'StandAlone';
  };
  await until({ limitMs, check });
  if (at === undefined) return;
  throw new RefusedError(
    `${guest} is not started: its disk ${name} is ${at.state} here, and it is unknown whether ${at.peer} has newer data or runs the guest`,
    {
      remedy: `see what is wrong: bofh drbd status ${name}; connect the two hosts, then start it; only if the other host is dead and the guest runs nowhere: ${option(`bofh xen start ${guest} --alone`, 'alone: true')}`,
    },
  );
}

/**
 * The DRBD resources of a guest's disks that are secondary on this host. `named`: also those whose disk line has the
 * name of the resource instead of the device; the script of such a disk makes them primary without a check of the
 * other host.
 */
export async function secondaries(
  host: ReadHost,
  config: string,
  { named = false }: { readonly named?: boolean } = {},
): Promise<readonly string[]> {
  const disks = (await readGuestConfig(host, config)).disks.filter(
    (disk) => disk.path?.startsWith('/dev/drbd') === true || (named && resourceNameOf(disk) !== undefined),
  );
  if (disks.length === 0) return [];
  const all = await resources(host);
  const found = new Set<string>();
  for (const disk of disks) {
    const resource = await resourceOf(host, all, disk);
    if (resource?.state?.role === 'Secondary') found.add(resource.name);
  }
  return [...found].sort();
}

async function leadsTo(host: ReadHost, path: string): Promise<string> {
  return (await orMissing(realPath(host, path))) ?? path;
}
