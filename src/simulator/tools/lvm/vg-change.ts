import { deviceByNumber, freePvs, pvStart } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import type { PhysicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { commit, usedOn } from './volumes.ts';

/**
 * vgcreate, vgextend, vgreduce, vgremove and vgrename (lvm2 2.03.16). stdin is closed, so every
 * question is answered with no.
 */
export const vgChanges: Readonly<Record<string, ToolModel>> = {
  vgcreate,
  vgextend,
  vgreduce,
  vgremove,
  vgrename,
};

type Answer = ReturnType<ToolModel>;

function vgcreate(call: ToolCall): Answer {
  const { world } = call;
  const options = readOptions(call, { values: ['--addtag', '--physicalextentsize', '--config'] });
  const [name = '', ...paths] = options.words;
  const extentSize = Number(
    /^(?<bytes>\d+)b$/.exec(one(options, '--physicalextentsize') ?? '')?.groups?.bytes,
  );
  if (paths.length === 0 || !(extentSize > 0))
    throw unmodelled(call, 'it needs devices and an extent size in bytes');
  const wrong = badName(world, name);
  if (wrong !== undefined) return wrong;
  const pvs: PhysicalVolume[] = [];
  for (const path of paths) {
    const pv = freeOn(call, path, extentSize);
    if ('exitCode' in pv) return pv;
    pvs.push(pv);
  }
  const tags = options.values.get('--addtag') ?? [];
  const vg: VolumeGroup = {
    ...{ uuid: world.ids.lvmUuid(), name, extentSize, tags, pvs },
    ...{ seqno: 1, lvs: [], otherExtents: 0 },
  };
  world.lvm = [...world.lvm, vg];
  return ok(`  Volume group "${name}" successfully created\n`);
}

function badName(world: World, name: string): Answer | undefined {
  if (world.lvm.some((vg) => vg.name === name))
    return failed(5, `  A volume group called ${name} already exists.`);
  if (!resolve(world, `/dev/${name}`, 'keep').found) return undefined;
  return failed(
    3,
    `  /dev/${name}: already exists in filesystem\n  Run \`vgcreate --help' for more information.`,
  );
}

/**
 * Returns the free physical volume on a device, with the extents that it would have; or why it
 * cannot be used.
 */
function freeOn(call: ToolCall, path: string, extentSize: number): PhysicalVolume | Answer {
  const { world } = call;
  const device = deviceAt(world, path);
  if (device === undefined) return failed(5, `  No device found for ${path}.`);
  const group = world.lvm.find((vg) => vg.pvs.some(({ number }) => number === device.number));
  if (group !== undefined)
    return failed(
      5,
      `  Physical volume '${path}' is already in volume group '${group.name}'\n  Unable to add physical volume '${path}' to volume group '${group.name}'\n  ${path}: physical volume not initialized.`,
    );
  const pv = freePvs(world).find(({ number }) => number === device.number);
  if (pv === undefined) throw unmodelled(call, 'it does not create the physical volume itself');
  // A rest smaller than one extent stays unused.
  return { ...pv, extents: Math.max(0, Math.floor((pv.deviceSize - pvStart) / extentSize)) };
}

function vgextend(call: ToolCall): Answer {
  const { world } = call;
  const [name = '', ...paths] = readOptions(call, { values: ['--config'] }).words;
  if (paths.length === 0) throw unmodelled(call, 'it takes a group and devices');
  const vg = world.lvm.find((each) => each.name === name);
  if (vg === undefined) return noGroup(name);
  const pvs: PhysicalVolume[] = [];
  for (const path of paths) {
    const pv = freeOn(call, path, vg.extentSize);
    if ('exitCode' in pv) return pv;
    pvs.push(pv);
  }
  vg.pvs = [...vg.pvs, ...pvs];
  commit(vg);
  return ok(`  Volume group "${name}" successfully extended\n`);
}

function vgreduce(call: ToolCall): Answer {
  const { world } = call;
  const [name = '', ...paths] = readOptions(call, { values: ['--config'] }).words;
  if (paths.length === 0) throw unmodelled(call, 'it takes a group and devices');
  const vg = world.lvm.find((each) => each.name === name);
  if (vg === undefined) return noGroup(name);
  const said: string[] = [];
  for (const path of paths) {
    const number = deviceAt(world, path)?.number;
    const pv = vg.pvs.find((each) => each.number === number);
    if (pv === undefined) return failed(5, `  Failed to find physical volume "${path}".`);
    if (usedOn(vg, pv) > 0) return failed(5, `  Physical volume "${path}" still in use`);
    if (vg.pvs.length === 1)
      return failed(5, `  Can't remove final physical volume "${path}" from volume group "${name}"`);
    vg.pvs = vg.pvs.filter((each) => each !== pv);
    release(world, pv);
    commit(vg);
    said.push(`  Removed "${path}" from volume group "${name}"\n`);
  }
  return ok(said.join(''));
}

function vgrename(call: ToolCall): Answer {
  const { world } = call;
  const [uuid = '', to = '', ...more] = readOptions(call, { values: ['--config'] }).words;
  if (to === '' || more.length > 0) throw unmodelled(call, 'it takes the uuid of a group and a name');
  const vg = world.lvm.find((each) => each.uuid === uuid);
  if (vg === undefined) return noGroup(uuid);
  const found = `  Processing VG ${vg.name} because of matching UUID ${uuid}\n`;
  const wrong =
    vg.name === to
      ? 'New VG name must differ from the old VG name.'
      : world.lvm.some(({ name }) => name === to)
        ? `New VG name "${to}" already exists`
        : resolve(world, `/dev/${to}`, 'keep').found
          ? `/dev/${to}: already exists in filesystem`
          : undefined;
  if (wrong !== undefined) return failed(5, `  ${wrong}`, found);
  vg.name = to;
  commit(vg);
  return ok(`${found}  Volume group "${uuid}" successfully renamed to "${to}"\n`);
}

function noGroup(name: string): Answer {
  return failed(5, `  Volume group "${name}" not found\n  Cannot process volume group ${name}`);
}

const condition = /^vg_uuid=(?<uuid>[\w-]+)(?: && vg_tags=\{(?<tag>[^{}]+)\})? && lv_count=0$/;

function vgremove(call: ToolCall): Answer {
  const { world } = call;
  const options = readOptions(call, { values: ['--select', '--config'] });
  const [name = '', ...more] = options.words;
  const wanted = condition.exec(one(options, '--select') ?? '')?.groups;
  if (more.length > 0 || wanted === undefined)
    throw unmodelled(call, 'it takes one group, and only if it has no volume');
  const vg = world.lvm.find((each) => each.name === name);
  if (vg === undefined) return noGroup(name);
  const isMeant =
    wanted.uuid === vg.uuid &&
    (wanted.tag === undefined || vg.tags.includes(wanted.tag)) &&
    vg.lvs.length === 0;
  if (!isMeant) return ok();
  for (const pv of vg.pvs) release(world, pv);
  world.lvm = world.lvm.filter((each) => each !== vg);
  return ok(`  Volume group "${name}" successfully removed\n`);
}

/**
 * Releases a physical volume from its group. The device keeps its label, which is all that the
 * model knows about a device of the real host.
 */
export function release(world: World, { uuid, number, path, deviceSize }: PhysicalVolume): void {
  if (world.overlay === undefined) return;
  const superblock = { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' } as const;
  const known = deviceByNumber(world, number);
  if (known === undefined)
    world.overlay.devices.set(number, { name: path.replace(/^\/dev\//, ''), size: deviceSize });
  world.live.set(known?.storage ?? `real:${number}`, { superblock });
}
