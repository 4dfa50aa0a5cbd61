import type { Way } from '../atomic/operation.ts';
import type { ManualRecovery } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { range } from './lv-commands.ts';
import { show } from './manual-recovery.ts';

/**
 * Manual recovery of a resized physical volume: restore its size. lvm asks, and shows both sizes.
 */
export function resizedRecovery({
  undo: { pv, vg, start, extentSize, was, now },
}: {
  readonly undo: {
    readonly pv: { readonly device: string; readonly uuid: string };
    readonly vg: string;
    readonly start: Bytes;
    readonly extentSize: Bytes;
    readonly was: number;
    readonly now: number;
  };
}): ManualRecovery {
  const old = `${String(start + was * extentSize)}b`;
  return {
    what: `the physical volume of uuid ${pv.uuid} on ${pv.device}, in ${vg}: ${String(was)} extents, resized to ${String(now)}`,
    look: [
      ['pvs', '--options', 'pv_name,pv_uuid,pv_size,pv_pe_count,dev_size', '--select', `pv_uuid=${pv.uuid}`],
    ],
    clear: [['pvresize', '--setphysicalvolumesize', old, pv.device]],
  };
}

/** Manual recovery of a resized volume. Neither program accepts a selection: look first. */
export function volumeResizedRecovery({
  undo: { vg, lvUuid, name, from, to, extentSize, cut, pool, tag, origin, when },
  way,
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly extentSize: Bytes;
    readonly cut: readonly { readonly device: string; readonly start: number; readonly count: number }[];
    readonly pool?: { readonly name: string };
    readonly tag: string;
    readonly origin?: string;
    readonly when?: string;
  };
  readonly way: Way;
}): ManualRecovery {
  const itself = `the logical volume of uuid ${lvUuid}: ${vg}/${name}`;
  const full = `${vg}/${name}`;
  const look = [show(`lv_uuid=${lvUuid}`)];
  if (when !== undefined)
    return {
      what: `${itself}, ${origin === undefined ? 'a disk of DRBD, which' : `a snapshot of ${origin} whose space`} will be grown from ${from} to ${to} bytes`,
      look,
      clear: way === 'back' ? [] : [['lvextend', '--size', `${to}b`, full]],
    };
  if (to === from)
    return {
      what: `${itself}, which had its ${from} bytes already and has the tag ${tag}`,
      look,
      clear: [['lvchange', '--deltag', tag, '--select', `lv_uuid=${lvUuid}`, vg]],
    };
  if (to > from)
    return {
      what: `${itself}, grown from ${from} to ${to} bytes; its content must not reach beyond the old size`,
      look,
      clear: [['lvreduce', '--size', `${from}b`, full]],
    };
  if (pool !== undefined)
    return {
      what: `${itself}, shrunk from ${from} to ${to} bytes; the data of its end is still in the pool ${vg}/${pool.name}`,
      look,
      clear: [['lvextend', '--size', `${from}b`, full]],
    };
  const places = cut.map(({ device: path, start, count }) => range({ path, start, count }));
  let size = to;
  return {
    what: `${itself}, shrunk from ${from} to ${to} bytes; its end was on ${places.join(', then ')}`,
    look: [...look, ['pvs', '--segments', '--options', 'pv_name,pv_uuid,pvseg_start,pvseg_size,lv_name']],
    // One run after the other, as the undo does: lvm would reorder several at once.
    clear: cut.map(({ count }, at) => {
      size += count * extentSize;
      return ['lvextend', '--size', `${size}b`, full, places[at] ?? ''];
    }),
  };
}
