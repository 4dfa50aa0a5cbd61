import { currentBofh, single } from '../bofh.ts';
import { keptOf, prunable, type Rotation, rotationOf, rotationRequest } from '../btrfs/rotation.ts';
import type { NewSubvolume } from '../btrfs/operations/new-subvolume.ts';
import { naming } from '../core/checks.ts';
import { RefusedError } from '../core/errors.ts';
import { parsed, text } from '../core/request.ts';
import * as z from 'zod/mini';

const pruneOptions = z.strictObject({
  target: text,
  label: text,
  keep: z.optional(z.number()),
  source: z.optional(text),
  agreed: z.optional(z.array(text)),
});
const rotateOptions = z.extend(pruneOptions, { source: text });

/** Result of `rotateSnapshots`. */
export interface Rotated {
  readonly made: NewSubvolume;
  readonly deleted: Rotation['surplus'];
  readonly stays: Rotation['stays'];
}

/**
 * Creates a read-only snapshot of a subvolume, `TARGET/LABEL.TIME`, and deletes the oldest
 * snapshots of that label beyond `keep`, all in one sequence. The new snapshot comes first; old
 * ones are deleted for good only after the commit.
 *
 * Deletes only snapshots that a rotation of this label and this source created; it compares UUIDs,
 * not only names. `keep` is a count with a default for daily (21), weekly (12), monthly (36) and
 * yearly (10). `agreed` lists the UUIDs of snapshots that may be deleted: throws RefusedError if
 * another snapshot would be deleted.
 */
export async function rotateSnapshots(args: {
  /** The subvolume to snapshot, as an absolute path. */
  readonly source: string;
  /** The directory of the snapshots, on the same filesystem. */
  readonly target: string;
  /** The label of this rotation, such as `daily`: the snapshots are named LABEL.TIME. */
  readonly label: string;
  /**
   * Number of snapshots of the label to keep, including the new one (default: daily 21, weekly 12, monthly
   * 36, yearly 10; required for other labels).
   */
  readonly keep?: number | undefined;
  /** UUIDs of the snapshots that may be deleted (default: all beyond `keep`). */
  readonly agreed?: readonly string[] | undefined;
}): Promise<Rotated> {
  parsed('btrfs.rotateSnapshots', rotateOptions, args);
  const request = naming('btrfs.rotateSnapshots', {}, () => rotationRequest(args));
  let creates = false;
  return single('btrfs.rotateSnapshots', async (tx) => {
    const { source, path, surplus, stays } = await rotationOf(currentBofh().host, request, new Date());
    refuseOthers(surplus, args.agreed);
    creates = true;
    const made = await tx.btrfs.snapshot({ source: source.path, path, mode: 'ro', uuid: source.uuid });
    creates = false;
    for (const old of surplus) await tx.btrfs.removeSubvolume({ path: old.path, uuid: old.uuid });
    return { made, deleted: surplus, stays };
  }).catch((error: unknown) => {
    throw creates ? inThisSecond(error) : error;
  });
}

/**
 * Removes the oldest snapshots of a label in a directory beyond `keep`, in one sequence, and creates none.
 * With `source`, removes only snapshots that rotations of this subvolume created; without it, only snapshots
 * that were received from another host. `agreed`: as for `rotateSnapshots`.
 */
export async function pruneSnapshots(args: {
  /** The directory of the snapshots. */
  readonly target: string;
  /** The label of the snapshots, such as `daily`. */
  readonly label: string;
  /**
   * Number of snapshots of the label to keep (default: daily 21, weekly 12, monthly 36, yearly 10; required
   * for other labels).
   */
  readonly keep?: number | undefined;
  /** The subvolume whose snapshots are removed (default: snapshots that were received from another host). */
  readonly source?: string | undefined;
  /** UUIDs of the snapshots that may be deleted (default: all beyond `keep`). */
  readonly agreed?: readonly string[] | undefined;
}): Promise<Omit<Rotated, 'made'>> {
  parsed('btrfs.pruneSnapshots', pruneOptions, args);
  const { target, label, source } = args;
  const keep = naming('btrfs.pruneSnapshots', {}, () => keptOf(label, args.keep));
  const request = { target, label, source, keep };
  return single('btrfs.pruneSnapshots', async (tx) => {
    const { surplus, stays } = await prunable(currentBofh().host, request);
    refuseOthers(surplus, args.agreed);
    for (const old of surplus) await tx.btrfs.removeSubvolume({ path: old.path, uuid: old.uuid });
    return { deleted: surplus, stays };
  });
}

/** The name has the time in seconds, so a taken one is not to be moved away: it is a good snapshot. */
function inThisSecond(error: unknown): unknown {
  if (!(error instanceof RefusedError) || error.code !== 'exists') return error;
  return new RefusedError(error.message, {
    code: 'exists',
    cause: error,
    remedy: 'another rotation of this label ran in the same second: run the command again',
  });
}

function refuseOthers(surplus: Rotation['surplus'], agreed: readonly string[] | undefined): void {
  const others = agreed === undefined ? [] : surplus.filter(({ uuid }) => !agreed.includes(uuid));
  if (others.length === 0) return;
  throw new RefusedError(
    `${others.map(({ path }) => path).join(', ')} would be deleted too, but you did not confirm that`,
    { remedy: 'another rotation of this label ran meanwhile: run the command again' },
  );
}
