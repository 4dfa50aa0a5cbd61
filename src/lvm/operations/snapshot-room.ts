import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { wholeRoom } from '../covering.ts';
import { filledInWords } from '../filling.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { refuseFull } from './extents.ts';

/**
 * RefusedError if the space of a classic snapshot cannot grow to a size, in bytes. lvm gives it no
 * more than it can use, and then exits with 0 ("Reached maximum COW size", lvresize).
 */
export function refuseRoom(vg: WholeGroup, lv: LogicalVolume, to: Bytes): { readonly origin: string } {
  const { fullName, size: from } = lv;
  const origin = vg.volumes.find(({ uuid }) => uuid === lv.origin?.uuid);
  if (origin === undefined)
    throw new RefusedError(`lvm does not report the origin of the snapshot ${fullName}`, {
      remedy: `look at it: lvs -a -o +origin ${vg.name}`,
    });
  if (to < from)
    throw new RefusedError(
      `${fullName} is a snapshot with space for ${formatSize(from)}: with less space it would become invalid`,
      {
        remedy: `keep its size; to get its space back, remove it (bofh lvm remove ${fullName}) or merge it (bofh lvm snapshot merge ${fullName})`,
      },
    );
  const most = Math.ceil(wholeRoom(origin.size) / vg.extentSize) * vg.extentSize;
  if (to > most)
    throw new RefusedError(
      `${fullName} can never use more than ${formatSize(most)}, even if all of ${origin.fullName} changes`,
      { remedy: `use at most ${String(most)}b` },
    );
  refuseLost(lv);
  refuseFull(vg, { name: lv.name, extents: (to - from) / vg.extentSize });
  return { origin: origin.name };
}

/**
 * RefusedError for an invalid snapshot: more space does not restore it. The kernel reports no usage
 * for it, or 100 %.
 */
function refuseLost(lv: LogicalVolume): void {
  if (lv.active !== true || (lv.data !== undefined && lv.data < 100)) return;
  throw new RefusedError(
    `the snapshot ${lv.fullName} is invalid because its space was full (${filledInWords(lv)}); more space does not restore it`,
    { remedy: `bofh lvm remove ${lv.fullName}` },
  );
}
