import { setTimeout as wait } from 'node:timers/promises';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { autoextendThreshold } from './commands.ts';
import { fullreport } from './report-commands.ts';
import { reported } from './unreadable.ts';
import type { Full } from './filling.ts';
import { type Layer, layersOf, whyFullLayer } from './full-beneath.ts';
import { identityOfVolume } from './operations/refuse-taken.ts';
import type { WholeGroup } from './objects.ts';

/** How long another process may fill a pool unnoticed. */
const everyMs = 2000;
/**
 * How many checks in a row may find a pool full that lvm extends automatically, which takes seconds
 * (lvmthin(7)).
 */
const fullChecksAllowed = 15;
/** How many checks in a row may fail: a host that writes at full speed answers slowly. */
const failedChecksAllowed = 3;

/**
 * Runs a long write to devices and checks the thin pools and classic snapshots beneath until it
 * ends. If one is full or its usage is unknown, `signal` stops the writing with RefusedError. A
 * pool that lvm extends automatically gets half a minute.
 */
export async function watchingRoom<T>(
  host: ReadHost,
  { devices, what }: { readonly devices: readonly string[]; readonly what: string },
  act: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const layers: Layer[] = [];
  for (const device of devices) layers.push(...(await layersOf(host, device)));
  if (layers.length === 0) return act(undefined);
  const ended = new AbortController();
  const stop = new AbortController();
  const seen = watch(host, layers, ended.signal).then((full) => {
    if (full !== undefined) stop.abort();
    return full;
  });
  try {
    return await act(stop.signal);
  } catch (error) {
    ended.abort();
    const full = await seen;
    if (full === undefined) throw error;
    throw new RefusedError(`${full.why}: ${what} was stopped`, { remedy: full.remedy, cause: error });
  } finally {
    ended.abort();
    await seen;
  }
}

/** Resolves when a pool or snapshot is full, or at `ended`. */
async function watch(
  host: ReadHost,
  layers: readonly Layer[],
  ended: AbortSignal,
): Promise<Full | undefined> {
  const inARow = { full: 0, failed: 0 };
  while (await next(ended)) {
    try {
      const full = await look(host, layers);
      inARow.failed = 0;
      inARow.full = full === undefined ? 0 : inARow.full + 1;
      if (full !== undefined && (!full.isExtended || inARow.full === fullChecksAllowed)) return full;
    } catch (error) {
      inARow.failed += 1;
      if (inARow.failed === failedChecksAllowed) return unreadable(error);
    }
  }
  return undefined;
}

function unreadable(error: unknown): Full {
  const why = error instanceof Error ? error.message : String(error);
  return {
    why: `the usage of the pool or snapshot below is now unknown (${why})`,
    remedy: 'see what lvm says: lvs -a',
  };
}

async function next(ended: AbortSignal): Promise<boolean> {
  await wait(everyMs, undefined, { signal: ended }).catch(() => undefined);
  return !ended.aborted;
}

/** Returns what is full, and whether lvm will soon extend it. */
async function look(
  host: ReadHost,
  layers: readonly Layer[],
): Promise<(Full & { readonly isExtended: boolean }) | undefined> {
  const groups = await reported(host, fullreport());
  const volumes = groups.flatMap((vg) => vg.volumes);
  for (const layer of layers) {
    const full = whyFullLayer(volumes, layer);
    if (full !== undefined) return { ...full, isExtended: await isExtended(host, groups, layer) };
  }
  return undefined;
}

async function isExtended(
  host: ReadHost,
  groups: readonly WholeGroup[],
  { identity, sort }: Layer,
): Promise<boolean> {
  if (sort !== 'pool') return false;
  const group = groups.find(({ volumes }) => volumes.some((each) => identityOfVolume(each) === identity));
  return group !== undefined && group.free > 0 && (await host.run(autoextendThreshold())) < 100;
}
