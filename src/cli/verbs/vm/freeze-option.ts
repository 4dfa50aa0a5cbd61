import { flag } from '../../runtime/verb.ts';

/** For verbs that take snapshots of a running guest. */
export const noFreeze = flag(
  'do not freeze the filesystems of the guest (default: freeze them for the snapshots, if the QEMU guest agent has a channel)',
);
