import { type Device, freePvs, openers, pvStart } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { PhysicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { commit, usedOn } from './volumes.ts';

/**
 * pvcreate, pvchange, pvresize and pvremove (lvm2 2.03.16). stdin is closed, so every question is
 * answered with no.
 */
export const pvChanges: Readonly<Record<string, ToolModel>> = { pvchange, pvcreate, pvremove, pvresize };

const uuidForm = /^[0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}$/;

function pvcreate(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['--norestorefile'], values: ['--uuid', '--config'] });
  const [[path = '', ...more], uuid] = [options.words, one(options, '--uuid') ?? ''];
  if (more.length > 0 || !uuidForm.test(uuid) || !options.flags.has('--norestorefile'))
    throw unmodelled(call, 'it creates only one physical volume, with --uuid and --norestorefile');
  const device = deviceAt(world, path);
  if (device === undefined) return failed(5, `  No device found for ${path}.`);
  const other = allPvs(world).find((pv) => pv.uuid === uuid);
  if (other !== undefined) return failed(5, `  UUID ${uuid} already in use on "${other.path}".`);
  const group = groupOn(world, device);
  if (group !== undefined)
    return failed(
      5,
      `  Can't initialize physical volume "${path}" of volume group "${group.name}" without -ff\n  ${path}: physical volume not initialized.`,
    );
  if (device.size < 2 * 1024 ** 2)
    return failed(5, `  Cannot use ${path}: device is too small (pv_min_size)`);
  if (openers(world, device.number).length > 0) {
    const why = `  Can't open ${path} exclusively.  Mounted filesystem?`;
    return failed(
      5,
      `${why}\n${why}\n  Error opening device ${path} for reading at 0 length 4096.\n  Cannot use ${path}: device has a signature`,
    );
  }
  const there = world.live.get(device.storage)?.superblock?.type;
  if (there !== undefined && there !== 'LVM2_member') {
    const offset = { ext4: 1080, swap: 4086 }[there];
    if (offset === undefined) throw unmodelled(call, `it does not know where ${there} has its signature`);
    return failed(
      5,
      `WARNING: ${there} signature detected on ${path} at offset ${offset}. Wipe it? [y/n]: [n]\n  Aborted wiping of ${there}.\n  1 existing signature left on the device.`,
    );
  }
  const superblock = { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' } as const;
  for (const contents of [world.live, world.durable]) contents.set(device.storage, { superblock });
  return ok(`  Physical volume "${path}" successfully created.\n`);
}

function pvremove(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const [path = '', ...more] = readOptions(call, { values: ['--config'] }).words;
  if (more.length > 0) throw unmodelled(call, 'it takes one device');
  const device = deviceAt(world, path);
  if (device === undefined) return failed(5, `  No device found for ${path}.`);
  const group = groupOn(world, device);
  if (group !== undefined)
    return failed(
      5,
      `  PV ${path} is used by VG ${group.name} so please use vgreduce first.\n  (If you are certain you need pvremove, then confirm by using --force twice.)\n  ${path}: physical volume label not removed.`,
    );
  if (!freePvs(world).some(({ number }) => number === device.number))
    return failed(5, `  No PV found on device ${path}.`);
  for (const contents of [world.live, world.durable]) contents.set(device.storage, {});
  return ok(`  Labels on physical volume "${path}" successfully wiped.\n`);
}

function pvchange(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { values: ['--addtag', '--allocatable', '--config'] });
  const [[path = '', ...more], allocatable] = [options.words, one(options, '--allocatable')];
  const device = deviceAt(world, path);
  const vg = device === undefined ? undefined : groupOn(world, device);
  const pv = vg?.pvs.find(({ number }) => number === device?.number);
  if (more.length > 0 || allocatable === undefined || vg === undefined || pv === undefined)
    throw unmodelled(call, 'it changes only --allocatable of one physical volume in a group');
  const tags = [...new Set([...(pv.tags ?? []), ...(options.values.get('--addtag') ?? [])])];
  const { allocatable: _, ...rest } = pv;
  const changed = { ...rest, tags, ...(allocatable === 'n' ? ({ allocatable: 'no' } as const) : {}) };
  vg.pvs = vg.pvs.map((each) => (each === pv ? changed : each));
  commit(vg);
  return ok(
    `  Physical volume "${path}" changed\n  1 physical volume changed / 0 physical volumes not changed\n`,
  );
}

function pvresize(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['--yes'], values: ['--setphysicalvolumesize', '--config'] });
  const [path = '', ...more] = options.words;
  const size = Number(/^(?<bytes>\d+)b$/.exec(one(options, '--setphysicalvolumesize') ?? '')?.groups?.bytes);
  if (more.length > 0 || !options.flags.has('--yes') || !(size > 0))
    throw unmodelled(call, 'it gives one device a size in bytes, and asks nothing');
  const [done, not] = ['resized or updated', 'not resized'];
  const count = (good: number, bad: number): string =>
    `  ${good} physical volume(s) ${done} / ${bad} physical volume(s) ${not}\n`;
  const device = deviceAt(world, path);
  if (device === undefined) return failed(5, `  Cannot use ${path}: device not found`, count(0, 0));
  const vg = groupOn(world, device);
  const pv = vg?.pvs.find(({ number }) => number === device.number);
  if (vg === undefined || pv === undefined)
    return failed(5, `  Failed to find physical volume "${path}".`, count(0, 0));
  const sectors = (bytes: number): number => Math.floor(bytes / 512);
  const warning =
    size === device.size
      ? ''
      : `  WARNING: ${path}: Pretending size is ${sectors(size)} not ${sectors(device.size)} sectors.`;
  const extents = Math.floor((size - (pv.start ?? pvStart)) / vg.extentSize);
  if (extents < usedOn(vg, pv)) {
    const why = `  ${path}: cannot resize to ${extents} extents as later ones are allocated.`;
    return failed(5, warning === '' ? why : `${warning}\n${why}`, count(0, 1));
  }
  vg.pvs = vg.pvs.map((each) => (each === pv ? { ...pv, extents, deviceSize: device.size } : each));
  commit(vg);
  return ok(`  Physical volume "${path}" changed\n${count(1, 0)}`, warning === '' ? '' : `${warning}\n`);
}

function allPvs(world: World): readonly PhysicalVolume[] {
  return [...world.lvm.flatMap(({ pvs }) => pvs), ...freePvs(world)];
}

/** Returns the volume group that a device belongs to. */
function groupOn(world: World, { number }: Device): VolumeGroup | undefined {
  return world.lvm.find(({ pvs }) => pvs.some((pv) => pv.number === number));
}
