import { dmName, findLv, freeExtents } from '../devices.ts';
import { one, readOptions, unmodelled } from '../options.ts';
import { resolve } from '../resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { badName } from './lvm-names.ts';
import { createLv } from './volumes.ts';

/** `lvcreate --snapshot`: classic with room of its own, thin without (lvm2 2.03.16). */
export function lvsnapshot(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, {
    flags: ['--snapshot'],
    values: ['--name', '--extents', '--addtag', '--setactivationskip', '--config'],
  });
  const [name, [full = '', ...more]] = [one(options, '--name') ?? '', options.words];
  const [vgName = '', originName = ''] = full.split('/');
  const [asked, skip] = [one(options, '--extents'), one(options, '--setactivationskip')];
  if (more.length > 0 || name === '' || originName === '' || (asked === undefined) === (skip === undefined))
    throw unmodelled(call, 'it takes VG/ORIGIN, and either so many extents or --setactivationskip');
  const bad = badName(name);
  if (bad !== undefined) return failed(3, `  ${bad}\n  Run \`lvcreate --help' for more information.`);
  const vg = world.lvm.find((each) => each.name === vgName);
  if (vg === undefined)
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  const origin = findLv(world, vgName, originName)?.lv;
  if (origin === undefined)
    return failed(5, `  Snapshot origin LV ${originName} not found in Volume group ${vgName}.`);
  if (findLv(world, vgName, name) !== undefined)
    return failed(5, `  Logical Volume "${name}" already exists in volume group "${vgName}"`);
  const node = dmName(vgName, name);
  if (resolve(world, `/dev/mapper/${node}`, 'keep').found) throw unmodelled(call, 'its node is taken');
  const tags = options.values.get('--addtag') ?? [];
  const was = world.active.has(origin.uuid);
  if (asked === undefined) {
    if (origin.pool === undefined) throw unmodelled(call, 'a thin snapshot is of a thin volume');
    const { extents, pool } = origin;
    const made = createLv(world, vg, { name, extents, tags, origin: origin.uuid, pool });
    vg.lvs = vg.lvs.map((lv) => (lv === made ? { ...lv, skipped: skip === 'y' } : lv));
    if (skip === 'y') world.active.delete(made.uuid);
    return ok(`  Logical volume "${name}" created.\n`);
  }
  // What can change, a list of it, and some chunks more (snapshot_manip.c cow_max_extents).
  const most = Math.ceil((origin.extents * vg.extentSize * 257) / 256 / vg.extentSize + 0.01);
  const extents = Math.min(Number(asked), most);
  if (!Number.isInteger(extents) || extents < 1) throw unmodelled(call, 'it takes a count of extents');
  const free = freeExtents(vg);
  if (extents > free)
    return failed(
      5,
      `  Volume group "${vgName}" has insufficient free space (${free} extents): ${extents} required.`,
    );
  const made = createLv(world, vg, { name, extents, tags, origin: origin.uuid });
  if (!was) world.active.delete(made.uuid);
  return ok(`  Logical volume "${name}" created.\n`);
}
