import type { Group } from '../situation.ts';
import { block } from './block.ts';
import { btrfs } from './btrfs.ts';
import { ext } from './ext.ts';
import { image } from './image.ts';
import { loop } from './loop.ts';
import { lvm } from './lvm.ts';
import { lvmSizes } from './lvm-sizes.ts';
import { luks } from './luks.ts';
import { mounts } from './mount.ts';
import { otherFilesystems } from './other-filesystems.ts';
import { trim } from './trim.ts';
import { xen } from './xen.ts';
import { xfs } from './xfs.ts';

/** Every recording that can be made by machine. */
export const groups: readonly Group[] = [
  ...[lvm, lvmSizes, ext, xfs, otherFilesystems, block],
  ...[loop, luks, mounts, btrfs, image, trim, xen],
];
