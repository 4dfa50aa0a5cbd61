import { dmName, findLv, freeExtents } from '../devices.ts';
import { one, type Options, readOptions, unmodelled } from '../options.ts';
import { resolve } from '../resolve.ts';
import type { LogicalVolume, VolumeGroup } from '../parts.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { cutSpread, growSpread, lvconvertCopies } from './lvm-raid.ts';
import { lvmerge, lvsnapshot, mostRoom } from './lvm-snapshot.ts';
import { dropSpare, isPool, lvcreatePool, lvcreateThin, lvextendPool, poolKept } from './lvm-thin.ts';
import { badName } from './lvm-names.ts';
import {
  activateWith,
  allocate,
  commit,
  createLv,
  deactivateWith,
  isClassicSnapshot,
  isMounted,
  isOpen,
  joined,
  placeOf,
  removeLv,
  sizeChanged,
} from './volumes.ts';

/** lvconvert, lvcreate, lvchange, lvextend, lvreduce, lvrename and lvremove (lvm2 2.03.16). A failure is exit 5, a bad command line exit 3. */
export const lvmChanges: Readonly<Record<string, ToolModel>> = {
  lvconvert: (call) => (call.argv.includes('--mirrors') ? lvconvertCopies(call) : lvmerge(call)),
  lvcreate,
  lvchange,
  lvrename,
  lvremove,
  lvextend,
  lvreduce,
};

function lvcreate(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  if (call.argv.includes('--snapshot')) return lvsnapshot(call);
  if (call.argv.includes('thin-pool')) return lvcreatePool(call);
  if (call.argv.includes('--virtualsize')) return lvcreateThin(call);
  const options = readOptions(call, {
    flags: ['--yes'],
    values: [
      '--name',
      '--extents',
      '--addtag',
      '--zero',
      '--wipesignatures',
      '--setautoactivation',
      '--config',
      ...['--type', '--stripes', '--stripesize', '--mirrors'],
    ],
  });
  const [name, [vgName, ...more]] = [one(options, '--name') ?? '', options.words];
  const extents = Number(one(options, '--extents'));
  const clean = ['--zero', '--wipesignatures'].every((each) => one(options, each) === 'y');
  if (vgName === undefined || more.length > 0 || name === '' || !Number.isInteger(extents) || !clean)
    throw unmodelled(call, 'it makes clean linear volumes of so many extents in a named group');
  const bad = badName(name);
  if (bad !== undefined) return failed(3, `  ${bad}\n  Run \`lvcreate --help' for more information.`);
  if (extents === 0) return failed(3, '  Non-zero --extents required');
  const vg = world.lvm.find((each) => each.name === vgName);
  if (vg === undefined)
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  if (findLv(world, vgName, name) !== undefined)
    return failed(5, `  Logical Volume "${name}" already exists in volume group "${vgName}"`);
  const node = dmName(vgName, name);
  if (resolve(world, `/dev/mapper/${node}`, 'keep').found)
    return failed(
      5,
      `  device-mapper: create ioctl on ${node} failed: Device or resource busy\n  Failed to activate new LV ${vgName}/${name}.`,
    );
  const shape = shapeOf(call, options, extents);
  const free = freeExtents(vg);
  if (shape.extents + shape.moreExtents > free)
    return failed(
      5,
      `  Volume group "${vgName}" has insufficient free space (${free} extents): ${shape.extents + shape.moreExtents} required.`,
    );
  if (vg.pvs.length < shape.devices)
    return failed(5, `  Insufficient suitable allocatable extents for logical volume ${name}`);
  const { devices: _, ...kind } = shape;
  createLv(world, vg, { name, ...kind, tags: options.values.get('--addtag') ?? [] });
  return ok(`  Logical volume "${name}" created.\n`);
}

/** Stripes are whole; each further copy of a raid1 takes as many extents again, and each one an extent for its list. */
function shapeOf(call: ToolCall, options: Options, extents: number) {
  const type = one(options, '--type');
  const [stripes, mirrors] = [Number(one(options, '--stripes')), Number(one(options, '--mirrors'))];
  if (type === undefined) return { extents, moreExtents: 0, devices: 1 };
  if (type === 'striped' && stripes > 1)
    return {
      ...{ extents: Math.ceil(extents / stripes) * stripes, moreExtents: 0 },
      ...{ devices: stripes, areas: stripes, layout: 'striped' },
    };
  if (type === 'raid1' && mirrors > 0)
    return {
      ...{ extents, moreExtents: mirrors * extents + mirrors + 1 },
      ...{ devices: mirrors + 1, areas: mirrors + 1, layout: 'raid,raid1', synced: 100 },
    };
  throw unmodelled(call, 'it makes linear, striped and raid1 volumes');
}

function lvchange(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--ignoreactivationskip', '--refresh'],
    values: ['--activate', '--poll', '--setautoactivation', '--addtag', '--deltag', '--select', '--config'],
  });
  const [activate, autoactivation] = [one(options, '--activate'), one(options, '--setautoactivation')];
  const [added, removed] = ['--addtag', '--deltag'].map((each) => options.values.get(each) ?? []);
  const tags = [...(added ?? []), ...(removed ?? [])].length > 0;
  if (options.flags.has('--refresh')) {
    const target = targetOf(call, options);
    return 'exitCode' in target ? target : ok();
  }
  if ([activate !== undefined, autoactivation !== undefined, tags].filter(Boolean).length !== 1)
    throw unmodelled(call, 'it changes one thing at a time');
  const target = targetOf(call, options);
  if ('exitCode' in target) return target;
  const { vg, lv, selected } = target;
  if (!selected) return ok();
  if (tags) {
    lv.tags = [...new Set([...lv.tags, ...(added ?? [])])].filter((tag) => removed?.includes(tag) !== true);
    commit(vg);
    return ok(`  Logical volume ${vg.name}/${lv.name} changed.\n`);
  }
  if (autoactivation !== undefined) {
    lv.autoactivation = autoactivation === 'y';
    commit(vg);
    return ok(`  Logical volume ${vg.name}/${lv.name} changed.\n`);
  }
  if (activate === 'y') {
    if (lv.skipped !== true || options.flags.has('--ignoreactivationskip')) activateWith(call.world, vg, lv);
    return ok();
  }
  if (activate !== 'n') throw unmodelled(call, `it does not know --activate ${activate ?? ''}`);
  const name = `${vg.name}/${lv.name}`;
  if (isMounted(call.world, lv)) return failed(5, `  Logical volume ${name} contains a filesystem in use.`);
  if (isOpen(call.world, lv)) return failed(5, `  Logical volume ${name} in use.`);
  const origin = vg.lvs.find(({ uuid }) => uuid === lv.origin);
  if (origin !== undefined && isClassicSnapshot(lv))
    return failed(
      5,
      `Change of snapshot ${name} will also change its origin ${vg.name}/${origin.name}. Proceed? [y/n]: [n]\n  Logical volume ${name} not changed.`,
    );
  deactivateWith(call.world, vg, lv);
  return ok();
}

/** To so many extents, on free ones or on a run of one device. */
function lvextend(call: ToolCall): ReturnType<ToolModel> {
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
  // What lies in a pool takes no extents of the group.
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

/** Of a striped volume, or of a raid1 with all its copies. */
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

/** A classic snapshot gets no more than it can use: "Reached maximum COW size" (lvresize, 2.03.16). */
function atMost(vg: VolumeGroup, lv: LogicalVolume, extents: number): number {
  const origin = isClassicSnapshot(lv) ? vg.lvs.find(({ uuid }) => uuid === lv.origin) : undefined;
  return origin === undefined ? extents : Math.min(extents, mostRoom(vg, origin));
}

/** To so many extents; the question about an active volume is answered by `--yes`, which bofh always says. */
function lvreduce(call: ToolCall): ReturnType<ToolModel> {
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
  // Of an inactive one it says nothing (test/fixtures/lvm/lvreduce@2.03.16.json is of an active one).
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

function lvrename(call: ToolCall): ReturnType<ToolModel> {
  const [vgName = '', from = '', to = '', ...more] = readOptions(call, { values: ['--config'] }).words;
  if (to === '' || more.length > 0) throw unmodelled(call, 'it takes a group, the old name and the new one');
  const bad = badName(to)?.replace(
    /^Logical volume name (?<name>.*) is invalid\.$/s,
    'New logical volume name $<name> is invalid',
  );
  const wrong = bad ?? (to === from ? 'Old and new logical volume names must differ' : undefined);
  if (wrong !== undefined) return failed(3, `  ${wrong}\n  Run \`lvrename --help' for more information.`);
  const vg = call.world.lvm.find(({ name }) => name === vgName);
  if (vg === undefined)
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  const lv = findLv(call.world, vgName, from)?.lv;
  if (findLv(call.world, vgName, to) !== undefined)
    return failed(5, `  Logical Volume "${to}" already exists in volume group "${vgName}"`);
  if (lv === undefined)
    return failed(5, `  Existing logical volume "${from}" not found in volume group "${vgName}"`);
  lv.name = to;
  commit(vg);
  return ok(`  Renamed "${from}" to "${to}" in volume group "${vgName}"\n`);
}

/** Standard input is closed, so that every question is answered with no; by `--yes`, which bofh says of a snapshot alone, with yes. */
function lvremove(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['--yes'], values: ['--select', '--config'] });
  const target = targetOf(call, options);
  if ('exitCode' in target) return target;
  const { vg, lv, selected } = target;
  if (!selected) return ok();
  const name = `${vg.name}/${lv.name}`;
  if (isMounted(world, lv)) return failed(5, `  Logical volume ${name} contains a filesystem in use.`);
  if (isOpen(world, lv)) return failed(5, `  Logical volume ${name} in use.`);
  if (world.active.has(lv.uuid) && !options.flags.has('--yes'))
    return failed(
      5,
      `Do you really want to remove active logical volume ${name}? [y/n]: [n]\n  Logical volume ${name} not removed.`,
    );
  // An inactive origin takes its snapshots along, without a question (seen on 2.03.16); with --yes an active one too.
  const kept = isPool(lv) ? poolKept(vg, lv) : undefined;
  if (kept !== undefined) return kept;
  const all = [...snapshotsOf(vg, lv), lv];
  for (const each of all) removeLv(world, vg, each);
  dropSpare(world, vg);
  return ok(all.map((each) => `  Logical volume "${each.name}" successfully removed.\n`).join(''));
}

function snapshotsOf(vg: VolumeGroup, { uuid }: LogicalVolume): readonly LogicalVolume[] {
  return vg.lvs.filter((lv) => lv.origin === uuid && isClassicSnapshot(lv));
}

const condition =
  /^lv_uuid=(?<uuid>[\w-]+)(?: && lv_tags=\{(?<tag>[^{}]+)\})?(?:(?<noOrigin> && !\(lv_role=\{thickorigin\} \|\| lv_role=\{extorigin\}\))|(?<classic> && lv_role=\{thicksnapshot\}))?$/;

/** The volume that is named, and whether `--select` takes it too: if not, lvm exits 0 and does nothing. */
function targetOf(call: ToolCall, options: Options) {
  const [full = '', ...more] = options.words;
  const [vgName = '', name = '', ...deeper] = full.split('/');
  if (more.length > 0 || deeper.length > 0 || name === '') throw unmodelled(call, 'it takes one VG/LV');
  const select = one(options, '--select');
  const wanted = select === undefined ? undefined : condition.exec(select)?.groups;
  if (select !== undefined && wanted === undefined) throw unmodelled(call, 'its --select is new to it');
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
