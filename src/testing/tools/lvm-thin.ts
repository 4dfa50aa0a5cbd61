import { dmName, findLv, freeExtents } from '../devices.ts';
import { one, type Options, readOptions, unmodelled } from '../options.ts';
import type { VolumeGroup } from '../parts.ts';
import { resolve } from '../resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { badName } from './lvm-names.ts';
import { createLv } from './volumes.ts';

type Answer = ReturnType<ToolModel>;

/** `lvcreate --type thin-pool` (lvm2 2.03.16), without a spare for its metadata. */
export function lvcreatePool(call: ToolCall): Answer {
  const options = readOptions(call, {
    values: [
      ...['--type', '--name', '--extents', '--poolmetadatasize', '--poolmetadataspare', '--chunksize'],
      ...['--zero', '--addtag', '--config'],
    ],
  });
  const place = placeOf(call, options);
  if ('exitCode' in place) return place;
  const { vg, name, tags } = place;
  const extents = Number(one(options, '--extents'));
  const metadata = bytesOf(one(options, '--poolmetadatasize'));
  const plain = one(options, '--zero') === 'y' && one(options, '--poolmetadataspare') === 'n';
  if (!Number.isInteger(extents) || !plain || !(bytesOf(one(options, '--chunksize')) > 0) || !(metadata > 0))
    throw unmodelled(call, 'it makes pools of a metadata and a chunk size that are said');
  const metadataExtents = Math.ceil(metadata / vg.extentSize);
  const free = freeExtents(vg);
  if (extents + metadataExtents > free)
    return failed(
      5,
      `  Volume group "${vg.name}" has insufficient free space (${free} extents): ${extents + metadataExtents} required.`,
    );
  const kind = { layout: 'thin,pool', role: 'private', data: 0, metadata: 10 };
  createLv(call.world, vg, { name, extents, moreExtents: metadataExtents, tags, ...kind });
  return ok(`  Logical volume "${name}" created.\n`);
}

/** `lvcreate --type thin`: a virtual size, in a pool. */
export function lvcreateThin(call: ToolCall): Answer {
  const options = readOptions(call, {
    values: ['--type', '--name', '--virtualsize', '--thinpool', '--addtag', '--config'],
  });
  const place = placeOf(call, options);
  if ('exitCode' in place) return place;
  const { vg, name, tags } = place;
  const size = bytesOf(one(options, '--virtualsize'));
  const poolName = one(options, '--thinpool') ?? '';
  if (one(options, '--type') !== 'thin' || !(size > 0)) throw unmodelled(call, 'it takes a virtual size');
  const pool = findLv(call.world, vg.name, poolName)?.lv;
  if (pool?.layout !== 'thin,pool')
    return failed(5, `  Pool ${poolName} not found in Volume group ${vg.name}.`);
  createLv(call.world, vg, { name, extents: Math.ceil(size / vg.extentSize), tags, pool: pool.uuid });
  return ok(`  Logical volume "${name}" created.\n`);
}

function placeOf(
  call: ToolCall,
  options: Options,
): Answer | { readonly vg: VolumeGroup; readonly name: string; readonly tags: readonly string[] } {
  const { world } = call;
  const [name, [vgName = '', ...more]] = [one(options, '--name') ?? '', options.words];
  if (more.length > 0 || name === '') throw unmodelled(call, 'it takes a name and a group');
  const bad = badName(name);
  if (bad !== undefined) return failed(3, `  ${bad}\n  Run \`lvcreate --help' for more information.`);
  const vg = world.lvm.find((each) => each.name === vgName);
  if (vg === undefined)
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  if (findLv(world, vgName, name) !== undefined)
    return failed(5, `  Logical Volume "${name}" already exists in volume group "${vgName}"`);
  if (resolve(world, `/dev/mapper/${dmName(vgName, name)}`, 'keep').found)
    throw unmodelled(call, 'its node is taken');
  return { vg, name, tags: options.values.get('--addtag') ?? [] };
}

function bytesOf(text: string | undefined): number {
  return Number(/^(?<bytes>\d+)b$/.exec(text ?? '')?.groups?.bytes);
}
