import { findLv } from '../../world/devices.ts';
import { one, type Options, unmodelled } from '../../options.ts';
import type { LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import { failed, type ToolCall } from '../answer.ts';
import { isClassicSnapshot } from '../../world/layers.ts';

/** Returns the classic snapshots of a volume. */
export function snapshotsOf(vg: VolumeGroup, { uuid }: LogicalVolume): readonly LogicalVolume[] {
  return vg.lvs.filter((lv) => lv.origin === uuid && isClassicSnapshot(lv));
}

const condition =
  /^lv_uuid=(?<uuid>[\w-]+)(?: && lv_tags=\{(?<tag>[^{}]+)\})?(?:(?<noOrigin> && !\(lv_role=\{thickorigin\} \|\| lv_role=\{extorigin\}\))|(?<classic> && lv_role=\{thicksnapshot\}))?$/;

/**
 * Returns the named volume, and whether `--select` matches it: if not, lvm exits with 0 and does
 * nothing.
 */
export function targetOf(call: ToolCall, options: Options) {
  const [full = '', ...more] = options.words;
  const [vgName = '', name = '', ...deeper] = full.split('/');
  if (more.length > 0 || deeper.length > 0 || name === '') throw unmodelled(call, 'it takes one VG/LV');
  const select = one(options, '--select');
  const wanted = select === undefined ? undefined : condition.exec(select)?.groups;
  if (select !== undefined && wanted === undefined)
    throw unmodelled(call, 'the model does not know this --select');
  if (!call.world.lvm.some((vg) => vg.name === vgName))
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  const found = findLv(call.world, vgName, name);
  if (found === undefined) return failed(5, `  Failed to find logical volume "${full}"`);
  const selected =
    (wanted?.uuid ?? found.lv.uuid) === found.lv.uuid &&
    (wanted?.tag === undefined || found.lv.tags.includes(wanted.tag)) &&
    (wanted?.noOrigin === undefined || snapshotsOf(found.vg, found.lv).length === 0) &&
    (wanted?.classic === undefined || isClassicSnapshot(found.lv));
  return { ...found, selected };
}
