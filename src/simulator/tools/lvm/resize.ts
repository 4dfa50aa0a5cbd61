import { one, readOptions, unmodelled } from '../../options.ts';
import type { LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { cutSpread, growSpread } from './raid.ts';
import { mostRoom } from './snapshot.ts';
import { snapshotsOf, targetOf } from './target.ts';
import { isPool, lvextendPool } from './thin.ts';
import { allocate, commit, joined, placeOf, sizeChanged } from './volumes.ts';
import { isClassicSnapshot } from '../../world/layers.ts';

/** Extends a volume to a number of extents, on free extents or on a run of one device. */
export function lvextend(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--extents', '--poolmetadatasize', '--config'] });
  const [full = '', place, ...more] = options.words;
  const target = targetOf(call, { ...options, words: [full] });
  if ('exitCode' in target) return target;
  const { vg, lv } = target;
  if (isPool(lv)) return lvextendPool(call, vg, lv);
  const onto = place === undefined ? undefined : placeOf(vg, place);
  const asked = Number(one(options, '--extents'));
  const extents = atMost(vg, lv, asked);
  if (!Number.isInteger(extents) || more.length > 0 || (place !== undefined && onto === undefined))
    throw unmodelled(call, 'it takes a count of extents and one run of them');
  const refused = resizeRefusal(call, vg, lv, extents) ?? tooSmall(lv, extents);
  if (refused !== undefined) return refused;
  if (lv.areas !== undefined) return extendSpread(call, vg, lv, extents);
  // A volume in a pool uses no extents of the group.
  const wanted = lv.pool === undefined ? extents - lv.extents : 0;
  const found = allocate(vg, wanted, onto);
  const free = found.reduce((sum, { count }) => sum + count, 0);
  if (free < wanted)
    return failed(5, `  Insufficient free space: ${wanted} extents needed, but only ${free} available`);
  const said = changedSize(vg, lv, extents);
  lv.runs = joined([...(lv.runs ?? []), ...found]);
  lv.extents = extents;
  commit(vg);
  return ok(said);
}

/** Extends a striped volume, or a raid1 with all its copies. */
function extendSpread(call: ToolCall, vg: VolumeGroup, lv: LogicalVolume, extents: number) {
  // "Rounding size (7 extents) up to stripe boundary size for segment (8 extents)" (2.03.16)
  if (lv.layout === 'striped' && extents % (lv.areas ?? 1) !== 0)
    throw unmodelled(call, 'it takes whole stripes');
  const missing = growSpread(vg, lv, extents - lv.extents);
  if (missing > 0)
    return failed(
      5,
      `  Insufficient suitable allocatable extents for logical volume ${lv.name}: ${missing} more required`,
    );
  const said = changedSize(vg, lv, extents);
  lv.extents = extents;
  commit(vg);
  return ok(said);
}

/**
 * Limits the size of a classic snapshot to what it can use: "Reached maximum COW size" (lvresize,
 * 2.03.16).
 */
function atMost(vg: VolumeGroup, lv: LogicalVolume, extents: number): number {
  const origin = isClassicSnapshot(lv) ? vg.lvs.find(({ uuid }) => uuid === lv.origin) : undefined;
  return origin === undefined ? extents : Math.min(extents, mostRoom(vg, origin));
}

/**
 * Reduces a volume to a number of extents; `--yes`, which bofh always uses, answers the question
 * about an active volume.
 */
export function lvreduce(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['--yes'], values: ['--extents', '--config'] });
  const target = targetOf(call, options);
  if ('exitCode' in target) return target;
  const { vg, lv } = target;
  const extents = Number(one(options, '--extents'));
  const keeps = one(options, '--config')?.includes('devices{issue_discards=0}') === true;
  if (!Number.isInteger(extents) || !options.flags.has('--yes') || !keeps)
    throw unmodelled(call, 'it takes a count of extents, --yes, and discards nothing');
  const refused = resizeRefusal(call, vg, lv, extents) ?? tooLarge(lv, extents);
  if (refused !== undefined) return refused;
  const said = changedSize(vg, lv, extents);
  cutSpread(vg, lv, extents);
  lv.extents = extents;
  commit(vg);
  // lvreduce does not mention this for an inactive volume (test/fixtures/lvm/lvreduce@2.03.16.json
  // is for an active one).
  const size = /to (?<size>[\d.]+ \w+)/.exec(said)?.groups?.size ?? '';
  const warned = `  WARNING: Reducing active logical volume to ${size}.\n  THIS MAY DESTROY YOUR DATA (filesystem etc.)\n`;
  return ok(said, call.world.active.has(lv.uuid) ? warned : '');
}

function resizeRefusal(call: ToolCall, vg: VolumeGroup, lv: LogicalVolume, extents: number) {
  if (extents === lv.extents)
    return failed(5, `  New size (${extents} extents) matches existing size (${extents} extents).`);
  if (isPool(lv))
    return failed(5, `  Thin pool volumes ${vg.name}/${lv.name}_tdata cannot be reduced in size yet.`);
  if (snapshotsOf(vg, lv).length > 0) throw unmodelled(call, 'it resizes no origin');
  return undefined;
}

function tooSmall(lv: LogicalVolume, extents: number) {
  return extents > lv.extents
    ? undefined
    : failed(
        5,
        `  New size given (${extents} extents) not larger than existing size (${lv.extents} extents)`,
      );
}

function tooLarge(lv: LogicalVolume, extents: number) {
  return extents < lv.extents
    ? undefined
    : failed(5, `  New size given (${extents} extents) not less than existing size (${lv.extents} extents)`);
}

function changedSize(vg: VolumeGroup, { name, extents: from }: LogicalVolume, to: number): string {
  return `${sizeChanged(vg, name, { from, to })}  Logical volume ${vg.name}/${name} successfully resized.\n`;
}
