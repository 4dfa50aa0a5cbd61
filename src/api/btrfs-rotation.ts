import { currentBofh, single } from '../bofh.ts';
import { type Rotation, rotationOf, rotationRequest } from '../btrfs/rotation.ts';
import type { NewSubvolume } from '../btrfs/operations/planted.ts';

/** What a rotation has done. */
export interface Rotated {
  readonly made: NewSubvolume;
  readonly deleted: Rotation['surplus'];
  readonly stays: Rotation['stays'];
}

/**
 * Takes a read-only snapshot of a subvolume, `TARGET/LABEL.TIME`, and deletes the oldest of that label beyond `keep`: one
 * sequence, the new one first, and the old ones for good only after the commit. Only what a rotation of this label and this
 * very source has made is ever deleted, by more than its name. `keep` may be left out for daily (21), weekly (12),
 * monthly (36) and yearly (10).
 */
export async function rotateSnapshots(args: {
  readonly source: string;
  readonly target: string;
  readonly label: string;
  readonly keep?: number | undefined;
}): Promise<Rotated> {
  const request = rotationRequest(args);
  return single('btrfs.rotateSnapshots', async (tx) => {
    const { source, path, surplus, stays } = await rotationOf(currentBofh().host, request, new Date());
    const made = await tx.btrfs.snapshot({ source: source.path, path, mode: 'ro', uuid: source.uuid });
    for (const old of surplus) await tx.btrfs.deleteSubvolume({ path: old.path, uuid: old.uuid });
    return { made, deleted: surplus, stays };
  });
}
