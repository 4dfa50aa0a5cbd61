import { posix } from 'node:path';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { anyRoot, type Place, placeOf } from './place.ts';
import { called, defaultOf, everyHolderOf, subvolumeAt, subvolumeById, subvolumes } from './reads.ts';
import type { Subvolume } from './schema.ts';

/** How many snapshots of a label to keep by default. */
export const retention: Readonly<Record<string, number>> = { daily: 21, weekly: 12, monthly: 36, yearly: 10 };

/** Arguments of a rotation. */
export interface RotationRequest {
  /** The subvolume to snapshot. */
  readonly source: string;
  /** The directory for the snapshots, on the same filesystem. */
  readonly target: string;
  readonly label: string;
  /** How many snapshots of the label remain afterwards, including the new one. */
  readonly keep: number;
}

/** A snapshot that a rotation of this label and source created. */
export interface RotatedSnapshot {
  readonly path: string;
  readonly id: number;
  readonly uuid: string;
  readonly made: string;
}

/** What a rotation will do. */
export interface Rotation {
  readonly source: { readonly path: string; readonly uuid: string };
  /** The path of the new snapshot. */
  readonly path: string;
  /** The snapshots to remove, the oldest first. */
  readonly surplus: readonly RotatedSnapshot[];
  /**
   * Subvolumes that are kept: they are not snapshots of this rotation despite their names, or
   * cannot be removed now.
   */
  readonly stays: readonly { readonly path: string; readonly why: string }[];
}

/** Validates a request. UsageError for an invalid label or number. */
export function rotationRequest(asked: {
  readonly source: string;
  readonly target: string;
  readonly label: string;
  readonly keep?: number | undefined;
}): RotationRequest {
  const { source, target, label } = asked;
  return { source, target, label, keep: keptOf(label, asked.keep) };
}

/** Returns how many snapshots of a label to keep. UsageError for an invalid label or number. */
export function keptOf(label: string, asked: number | undefined): number {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(label))
    throw new UsageError(
      `"${label}" is not a label: it must be up to 64 letters, digits, _ and -, and begin with a letter or digit`,
    );
  const keep = asked ?? (Object.hasOwn(retention, label) ? retention[label] : undefined);
  if (keep === undefined)
    throw new UsageError(
      `no number of snapshots to keep for the label "${label}": pass ${option('--keep', 'keep')}`,
      {
        remedy: `only the labels ${Object.keys(retention).join(', ')} have a default`,
      },
    );
  if (!Number.isSafeInteger(keep) || keep < 1)
    throw new UsageError(`${option('--keep', 'keep')}: must be a whole number of at least 1, not ${keep}`);
  return keep;
}

/**
 * Returns the name of a snapshot: `daily.20261120T185749Z`, in UTC, so that alphabetical order is
 * chronological order.
 */
export function snapshotName(label: string, at: Date): string {
  return `${label}.${at.toISOString().replaceAll(/[-:]|\.\d+(?=Z)/g, '')}`;
}

const named = /^(?<label>[A-Za-z0-9][A-Za-z0-9_-]{0,63})\.(?<date>\d{8})T(?<time>\d{6})Z$/;

/**
 * Finds the snapshots that a rotation created, and those to remove. A name proves nothing: the
 * snapshot must have exactly this label, the creation time that the kernel reports, be read-only,
 * not received, and a snapshot of this source by uuid. Anything else with such a name stays, and is
 * reported.
 */
export async function rotationOf(
  host: ReadHost,
  { source, target, label, keep }: RotationRequest,
  now: Date,
): Promise<Rotation> {
  const [from, into] = [await placeOf(host, source), await placeOf(host, target)];
  if (from.fs !== into.fs)
    throw new RefusedError(
      `${target} is on another filesystem than ${source}: a snapshot must be on the filesystem of its source`,
      {
        remedy: 'choose a directory on the same filesystem',
      },
    );
  const uuid = await uuidOf(host, source, from.path);
  const found = await outdated(host, into, { label, left: keep - 1, ...madeFrom(uuid) });
  const path = posix.join(into.path, snapshotName(label, now));
  return { source: { path: from.path, uuid }, path, ...found };
}

/**
 * Selects the snapshots to prune. `source`: those that rotations of it created; missing: those that
 * were received.
 */
export interface PruneRequest {
  readonly source: string | undefined;
  readonly target: string;
  readonly label: string;
  /** How many snapshots of the label remain afterwards. */
  readonly keep: number;
}

/**
 * Returns the surplus snapshots of a label in a directory, the oldest first, and subvolumes with
 * such a name that stay.
 */
export async function prunable(
  host: ReadHost,
  { source, target, label, keep }: PruneRequest,
): Promise<Pick<Rotation, 'surplus' | 'stays'>> {
  const into = await placeOf(host, target);
  if (source === undefined) return await outdated(host, into, { label, left: keep, ...received });
  const uuid = await uuidOf(host, source);
  return await outdated(host, into, { label, left: keep, ...madeFrom(uuid) });
}

/** The uuid of a subvolume, by which its snapshots are recognised. RefusedError if there is none. */
async function uuidOf(host: ReadHost, source: string, path = source): Promise<string> {
  const found = await subvolumeAt(host, path);
  if (found?.uuid !== undefined) return found.uuid;
  throw new RefusedError(
    found === undefined
      ? `${source} is not a subvolume`
      : `${source} has no uuid, by which bofh could recognise its snapshots`,
    { remedy: `the subvolumes of its filesystem: bofh btrfs list ${inShell(source)}` },
  );
}

interface Sort {
  /**
   * Returns why a snapshot with such a name does not belong to the rotation; undefined if it does.
   */
  readonly whyNot: (one: Labelled) => string | undefined;
  readonly order: (a: Labelled, b: Labelled) => number;
}

/**
 * Selects the snapshots that rotations of a source created, in the order of their ids, which ascend
 * whatever the clock does.
 */
function madeFrom(uuid: string): Sort {
  return { whyNot: (one) => whyNot(one, uuid), order: (a, b) => a.subvolume.id - b.subvolume.id };
}

/**
 * Received snapshots, in the order of their names, which contain the time of creation on the other
 * host.
 */
const received: Sort = {
  whyNot: ({ subvolume: { receivedUuid, mode } }) => {
    if (receivedUuid === undefined) return 'it was not received';
    return mode === 'ro' ? undefined : 'it is writable';
  },
  order: (a, b) => (a.name < b.name ? -1 : 1),
};

async function outdated(
  host: ReadHost,
  into: Place,
  { label, left, whyNot: why, order }: Sort & { readonly label: string; readonly left: number },
): Promise<Pick<Rotation, 'surplus' | 'stays'>> {
  const called = (await labelled(host, into, label)).map((one) => ({ one, why: why(one) }));
  const own = called.filter((each) => each.why === undefined).map(({ one }) => one);
  const stays = called.flatMap((each) =>
    each.why === undefined ? [] : [{ path: each.one.path, why: each.why }],
  );
  const oldest = own.toSorted(order).slice(0, Math.max(0, own.length - left));
  const surplus: RotatedSnapshot[] = [];
  for (const { path, subvolume } of oldest) {
    const held = await whyHeld(host, into.fs, subvolume);
    if (held !== undefined) stays.push({ path, why: held });
    else surplus.push({ path, id: subvolume.id, uuid: subvolume.uuid ?? '', made: subvolume.made ?? '' });
  }
  return { surplus, stays };
}

interface Labelled {
  readonly path: string;
  readonly name: string;
  readonly subvolume: Subvolume;
}

/** Returns the subvolumes directly in this directory with names of the label. */
async function labelled(host: ReadHost, into: Place, label: string): Promise<readonly Labelled[]> {
  const found: Labelled[] = [];
  for (const row of await subvolumes(host, await anyRoot(host, into.fs))) {
    if (row.path === undefined || posix.dirname(`/${row.path}`) !== into.inside) continue;
    const name = posix.basename(row.path);
    if (named.exec(name)?.groups?.label !== label) continue;
    const subvolume = await subvolumeById(host, { fs: into.fs, id: row.id });
    // Undefined: it was deleted after the list was read.
    if (subvolume !== undefined) found.push({ path: posix.join(into.path, name), name, subvolume });
  }
  return found;
}

function whyNot({ name, subvolume }: Labelled, sourceUuid: string): string | undefined {
  const { parentUuid, receivedUuid, mode, made } = subvolume;
  if (parentUuid !== sourceUuid) return 'it is not a snapshot of this source';
  if (receivedUuid !== undefined) return 'it was received';
  if (mode !== 'ro') return 'it is writable: it may be in use';
  const { date = '', time = '' } = named.exec(name)?.groups ?? {};
  const said = Date.parse(`${date}T${time}Z`.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  // The name is chosen before the snapshot is created, which may take long on a busy host.
  const later = made === undefined ? Number.NaN : Date.parse(made) - said;
  return later >= -1_000 && later <= 600_000
    ? undefined
    : 'it was created at another time than its name says';
}

async function whyHeld(host: ReadHost, fs: string, subvolume: Subvolume): Promise<string | undefined> {
  const [holder] = await everyHolderOf(host, { fs, subvolume });
  if (holder !== undefined) return holder.words;
  return (await defaultOf(host, fs)) === subvolume.id ? `${called(subvolume)} is the default` : undefined;
}
