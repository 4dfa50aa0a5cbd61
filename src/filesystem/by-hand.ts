import type { Way } from '../atomic/operation.ts';
import type { ByHand } from '../core/errors.ts';
import { checkOf } from './commands/check.ts';
import { labelOf, relabel } from './commands/label.ts';
import { repairOf } from './commands/repair.ts';
import { keepSeed, setUuid } from './commands/uuid.ts';
import type { LabelUndo } from './operations/label.ts';
import type { RepairUndo } from './operations/repair.ts';
import type { ResizeUndo } from './operations/resize.ts';
import type { UuidUndo } from './operations/uuid.ts';
import { hasWayBack } from './uuids.ts';

/** How a person sees, and brings to its end, what a resize has left. */
export function resizedByHand(of: ResizeUndo, way: Way): ByHand {
  const { device, type, uuid, blockSize, from, to, when } = of;
  const isBack = way === 'back';
  const blocks = isBack ? from : to;
  const bytes = String(blocks * blockSize);
  const still = when === 'now' ? '' : ', which is done after the commit';
  const what = `the ${type} of UUID ${uuid} on ${device}: from ${String(from)} to ${String(to)} blocks of ${String(blockSize)} bytes${still}`;
  // Nothing was done to it before the commit.
  const nothing = isBack && when !== 'now';
  switch (type) {
    case 'xfs':
      return {
        what,
        look: [
          ['findmnt', '--source', device],
          ['xfs_info', device],
        ],
        clear: nothing
          ? []
          : [
              ['mount', device, '/mnt'],
              ['xfs_growfs', '-D', String(blocks), '/mnt'],
              ['umount', '/mnt'],
            ],
      };
    case 'btrfs':
      return {
        what,
        look: [['btrfs', 'inspect-internal', 'dump-super', device]],
        clear: [
          ['mount', device, '/mnt'],
          ['btrfs', 'filesystem', 'resize', bytes, '/mnt'],
          ['umount', '/mnt'],
        ],
      };
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return {
        what,
        look: [['dumpe2fs', '-h', device]],
        clear: nothing
          ? []
          : [
              ['e2fsck', '-f', device],
              ['resize2fs', device, String(blocks)],
            ],
      };
  }
}

/** How a person sees, and sets back, a label. */
export function relabelledByHand({ device, type, uuid, from, to }: LabelUndo): ByHand {
  const what = `the label of the ${type} of UUID ${uuid} on ${device}: ${JSON.stringify(to)}, which was ${JSON.stringify(from)}`;
  const at = { type, device, path: undefined };
  return { what, look: [words(labelOf(at))], clear: [words(relabel(at, from))] };
}

function words({ tool, argv }: { readonly tool: string; readonly argv: readonly string[] }) {
  return [tool, ...argv];
}

/** How a person sees a uuid, and sets the old one back, or the new one where that is to come. */
export function renumberedByHand({ device, type, from, to, seed }: UuidUndo, way: Way): ByHand {
  const isBack = way === 'back';
  const set = setUuid({ type, device, uuid: isBack ? from : to });
  const kept = seed === 'added' ? [words(keepSeed(device, isBack ? 'drop' : 'keep'))] : [];
  // Nothing was done to it before the commit.
  const nothing = isBack && !hasWayBack(type);
  return {
    what: `the uuid of the ${type} on ${device}: ${to}, which was ${from}`,
    look: [['blkid', '--probe', device]],
    clear: nothing ? [] : isBack ? [words(set), ...kept] : [...kept, words(set)],
  };
}

/** How a person sees what is wrong with a filesystem, and repairs it. */
export function repairedByHand({ device, type, uuid, files }: RepairUndo, way: Way): ByHand {
  const by = words(repairOf(type, device, files === 'may be lost' ? 'yes' : 'safe'));
  return {
    what: `the ${type} of UUID ${uuid ?? '(none)'} on ${device}, which is to be repaired`,
    look: [words(checkOf(type, device))],
    // Nothing was done to it before the commit.
    clear: way === 'back' ? [] : [by],
  };
}
