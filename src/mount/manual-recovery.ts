import type { ManualRecovery } from '../core/errors.ts';
import type { Made } from './step-mount.ts';

/** Manual recovery of a mount: how to see it, and how to unmount it. */
export function mountedRecovery({
  undo: { path, device, private: own },
  result: known,
}: {
  readonly undo: Made;
  readonly result?: { readonly mountId: number };
}): ManualRecovery {
  return {
    what: `the mount of ${device} on ${path}${known === undefined ? '' : ` (mount ${known.mountId})`}`,
    look: [
      ['findmnt', '--output', 'ID,TARGET,SOURCE,OPTIONS', '--mountpoint', path],
      ['fuser', '--verbose', '--ismountpoint', '--mount', path],
    ],
    clear: [['umount', path], ...(own ? [['rmdir', path]] : [])],
  };
}
