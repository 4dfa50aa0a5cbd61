import { dmName, findLv, freeExtents } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import type { LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { badName } from './names.ts';
import { createLv, isMounted, isOpen, removeLv } from './volumes.ts';
import { isClassicSnapshot } from '../../world/layers.ts';

/** `lvcreate --snapshot`: a classic one with a size, a thin one without (lvm2 2.03.16). */
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
  if (resolve(world, `/dev/mapper/${node}`, 'keep').found)
    throw unmodelled(call, 'its name is taken in /dev/mapper');
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
  const extents = Math.min(Number(asked), mostRoom(vg, origin));
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

/**
 * Returns the most extents that a snapshot can use: the whole origin, a list of its changes, and
 * some more chunks (snapshot_manip.c cow_max_extents).
 */
export function mostRoom(vg: VolumeGroup, origin: LogicalVolume): number {
  return Math.ceil((origin.extents * vg.extentSize * 257) / 256 / vg.extentSize + 0.01);
}

/**
 * `lvconvert --mergesnapshot` and `--mergethin`, completely. While either volume is open, the merge
 * is only scheduled, with exit code 0.
 */
export function lvmerge(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, {
    flags: ['--mergesnapshot', '--mergethin'],
    values: ['--interval', '--config'],
  });
  const [full = '', ...more] = options.words;
  const [vgName = '', name = ''] = full.split('/');
  if (more.length > 0 || options.flags.size !== 1) throw unmodelled(call, 'it merges one snapshot');
  const found = findLv(world, vgName, name);
  if (found === undefined) return failed(5, `  Failed to find logical volume "${full}"`);
  const { vg, lv } = found;
  const origin = vg.lvs.find(({ uuid }) => uuid === lv.origin);
  if (origin === undefined || isClassicSnapshot(lv) !== options.flags.has('--mergesnapshot'))
    throw unmodelled(call, 'this is another kind of snapshot');
  const used = [origin, lv].find((each) => isMounted(world, each) || isOpen(world, each));
  if (used === undefined && (world.active.has(origin.uuid) || !isClassicSnapshot(lv))) {
    mergeLv(world, vg, { lv, origin });
    return ok(`  Merging of volume ${full} started.\n  ${vgName}/${origin.name}: Merged: 100.00%\n`);
  }
  lv.merging = true;
  vg.seqno += 1;
  return ok(
    `  Delaying merge since ${used === lv ? 'snapshot' : 'origin'} is open.\n  Merging of snapshot ${full} will occur on next activation of ${vgName}/${origin.name}.\n`,
  );
}

/**
 * `lvm lvpoll --polloperation merge`: exits with 0 even if the origin is not active, or nothing is
 * merged into it.
 */
export function lvpoll(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { values: ['--polloperation', '--interval', '--config'] });
  const [, full = '', ...more] = options.words;
  const [vgName = '', name = ''] = full.split('/');
  if (more.length > 0 || one(options, '--polloperation') !== 'merge')
    throw unmodelled(call, 'it waits for the end of one merge');
  const found = findLv(world, vgName, name);
  const lv = found?.vg.lvs.find(({ origin, merging }) => origin === found.lv.uuid && merging === true);
  if (found === undefined || lv === undefined) return ok(`  Can't find LV in ${vgName} for ${full}.\n`);
  if (!world.active.has(found.lv.uuid)) return ok(`  ${full}: Interrupted: No longer active.\n`);
  if (isMounted(world, found.lv) || isOpen(world, found.lv)) throw unmodelled(call, 'the origin is in use');
  mergeLv(world, found.vg, { lv, origin: found.lv });
  return ok(`  ${full}: Merged: 100.00%\n  Merge of snapshot into logical volume ${full} has finished.\n`);
}

function mergeLv(
  world: World,
  vg: VolumeGroup,
  { lv, origin }: { readonly lv: LogicalVolume; readonly origin: LogicalVolume },
): void {
  for (const contents of [world.live, world.durable]) {
    const content = contents.get(`lv:${lv.uuid}`);
    if (content !== undefined) contents.set(`lv:${origin.uuid}`, content);
  }
  // A thin snapshot replaces its origin: it gets the name and uuid of the origin, which is removed.
  if (!isClassicSnapshot(lv))
    vg.lvs = vg.lvs.map((other) => {
      const { origin: of, ...plain } = other;
      if (other === lv || (of !== origin.uuid && of !== lv.uuid)) return other;
      return of === lv.uuid ? { ...other, origin: origin.uuid } : plain;
    });
  removeLv(world, vg, lv);
}
