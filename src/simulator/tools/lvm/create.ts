import { dmName, findLv, freeExtents } from '../../world/devices.ts';
import { one, type Options, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { badName } from './names.ts';
import { lvsnapshot } from './snapshot.ts';
import { lvcreatePool, lvcreateThin } from './thin.ts';
import { createLv } from './volumes.ts';

/**
 * `lvcreate`: creates linear, striped and raid1 volumes whose size is in extents. Snapshots, thin pools and thin volumes
 * have their own models.
 */
export function lvcreate(call: ToolCall): ReturnType<ToolModel> {
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
    throw unmodelled(call, 'it needs a name, a group, a number of extents, --zero y and --wipesignatures y');
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

/**
 * Rounds up to whole stripes. A raid1 needs its extents once for each copy, and one extent of metadata (rmeta) for each
 * copy.
 */
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
