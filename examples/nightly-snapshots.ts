/**
 * Snapshots a btrfs subvolume and copies the snapshot to a second disk, of which it sends only the
 * differences: bofh run nightly-snapshots.ts /srv/pool/home /srv/pool/snapshots /mnt/backup/home
 *
 * Run it from a systemd timer. Nobody else may write into the two directories of snapshots.
 */
import { basename, join } from 'node:path';
import { BofhError, btrfs, RolledBackError } from 'bofh';

const [source, snapshots, backup] = process.argv.slice(2);
if (source === undefined || snapshots === undefined || backup === undefined)
  throw new Error('usage: nightly-snapshots.ts SUBVOLUME SNAPSHOTS BACKUP');

/** The newest snapshot that the second disk has too: the next copy needs only what changed since. */
async function commonSnapshot(paths: { readonly snapshots: string; readonly backup: string }) {
  const copied = new Set((await btrfs.subvolumes(paths.backup)).map(({ receivedUuid }) => receivedUuid));
  const both = (await btrfs.subvolumes(paths.snapshots)).filter(
    ({ path, uuid }) => uuid !== undefined && copied.has(uuid) && path?.includes('/daily.') === true,
  );
  const newest = both.toSorted((a, b) => a.madeIn - b.madeIn).at(-1);
  // The list has paths within the filesystem, wherever it is mounted.
  return newest?.path === undefined ? {} : { parent: join(paths.snapshots, basename(newest.path)) };
}

try {
  const parent = await commonSnapshot({ snapshots, backup });
  const { made, deleted, stays } = await btrfs.rotateSnapshots({
    ...{ source, target: snapshots, label: 'daily', keep: 21 },
  });
  await btrfs.copySubvolume({ source: made.path, into: backup, ...parent });
  const old = await btrfs.pruneSnapshots({ target: backup, label: 'daily', keep: 60 });
  console.log(`created ${made.path}, deleted ${String(deleted.length + old.deleted.length)}`);
  for (const { path, why } of [...stays, ...old.stays]) console.log(`kept ${path}: ${why}`);
} catch (error) {
  // The disk is full until somebody decides what to delete: every other failure is for the timer.
  if (!(error instanceof BofhError)) throw error;
  const code = error instanceof RolledBackError ? error.causeCode : error.code;
  if (code === 'no-space') console.error('free space first, or lower keep');
  throw error;
}
