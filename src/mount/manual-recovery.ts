import type { ManualRecovery } from '../core/errors.ts';
import type { Made } from './ours.ts';

/** A mount of ours for a person: what it is, how to see it, how to take it away. */
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
