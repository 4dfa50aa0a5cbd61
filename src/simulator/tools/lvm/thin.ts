import { dmName, findLv, freeExtents, ownExtents } from '../../world/devices.ts';
import { one, type Options, readOptions, unmodelled } from '../../options.ts';
import type { LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { badName } from './names.ts';
import { allocate, commit, createLv, joined, removeLv, sizeChanged } from './volumes.ts';

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
    throw unmodelled(
      call,
      'it needs a number of extents, the metadata size, the chunk size, --zero y and --poolmetadataspare n',
    );
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

/** `lvcreate --type thin`: a volume with a virtual size, in a pool. */
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
  if (pool === undefined || !isPool(pool))
    return failed(5, `  Pool ${poolName} not found in Volume group ${vg.name}.`);
  createLv(call.world, vg, { name, extents: Math.ceil(size / vg.extentSize), tags, pool: pool.uuid });
  return ok(`  Logical volume "${name}" created.\n`);
}

/** `lvextend` of a thin pool: its metadata, then its data, in separate commits (2.03.16). */
export function lvextendPool(call: ToolCall, vg: VolumeGroup, pool: LogicalVolume): Answer {
  const options = readOptions(call, { values: ['--extents', '--poolmetadatasize', '--config'] });
  const asked = { data: one(options, '--extents'), metadata: one(options, '--poolmetadatasize') };
  if (options.words.length !== 1 || (asked.data === undefined && asked.metadata === undefined))
    throw unmodelled(call, 'it takes the sizes of one pool');
  const data = asked.data === undefined ? pool.extents : Number(asked.data);
  const metadata =
    asked.metadata === undefined
      ? (pool.moreExtents ?? 0)
      : Math.ceil(bytesOf(asked.metadata) / vg.extentSize);
  if (!Number.isInteger(data) || !Number.isInteger(metadata)) throw unmodelled(call, 'it counts extents');
  if (metadata < (pool.moreExtents ?? 0) || data < pool.extents)
    throw unmodelled(call, 'it only grows pools');
  if (asked.metadata === undefined && data === pool.extents)
    return failed(5, `  New size (${data} extents) matches existing size (${data} extents).`);
  const said = [
    grow(call.world, vg, pool, { moreExtents: metadata }),
    grow(call.world, vg, pool, { extents: data }),
  ];
  if (said.includes(undefined))
    return failed(
      5,
      `  Insufficient free space: ${data} extents needed, but only ${freeExtents(vg)} available`,
    );
  return ok(`${said.join('')}  Logical volume ${vg.name}/${pool.name} successfully resized.\n`);
}

/** Grows the pool. Returns the message of lvextend; undefined if there is no space. */
function grow(
  world: World,
  vg: VolumeGroup,
  pool: LogicalVolume,
  to: { readonly extents: number } | { readonly moreExtents: number },
): string | undefined {
  const more = ownExtents({ ...pool, ...to }) - ownExtents(pool);
  if (more > freeExtents(vg)) return undefined;
  if (more === 0) return '';
  pool.runs = joined([...(pool.runs ?? []), ...allocate(vg, more)]);
  const { extents, moreExtents = 0 } = pool;
  Object.assign(pool, to);
  commit(vg);
  if ('extents' in to) return sizeChanged(vg, `${pool.name}_tdata`, { from: extents, to: to.extents });
  keepSpare(world, vg, to.moreExtents);
  return sizeChanged(vg, `${pool.name}_tmeta`, { from: moreExtents, to: to.moreExtents });
}

/**
 * Makes the spare as large as the largest metadata of the group, if there is space
 * (handle_pool_metadata_spare of 2.03.16).
 */
function keepSpare(world: World, vg: VolumeGroup, extents: number): void {
  const spare = vg.lvs.find(isSpare);
  const more = extents - (spare?.extents ?? 0);
  if (more <= 0 || more > freeExtents(vg)) return;
  if (spare === undefined) {
    const made = createLv(world, vg, {
      name: 'lvol0_pmspare',
      extents,
      tags: [],
      role: 'private,pool,spare',
    });
    world.active.delete(made.uuid);
    return;
  }
  spare.runs = joined([...(spare.runs ?? []), ...allocate(vg, more)]);
  spare.extents = extents;
}

function isSpare({ role }: LogicalVolume): boolean {
  return role === 'private,pool,spare';
}

/** Returns the error of `lvremove` for a pool with volumes; undefined: it can be removed. */
export function poolKept(vg: VolumeGroup, pool: LogicalVolume): Answer | undefined {
  const inside = vg.lvs.filter((lv) => lv.pool === pool.uuid).length;
  if (inside === 0) return undefined;
  const name = `${vg.name}/${pool.name}`;
  return failed(
    5,
    `Removing pool ${name} will remove ${inside} dependent volume(s). Proceed? [y/n]: [n]\n  Logical volume ${name} not removed.`,
  );
}

/** Removes the spare with the last pool of its group. */
export function dropSpare(world: World, vg: VolumeGroup): void {
  const spare = vg.lvs.find(isSpare);
  if (spare !== undefined && !vg.lvs.some(isPool)) removeLv(world, vg, spare);
}

export function isPool({ layout }: LogicalVolume): boolean {
  return layout === 'thin,pool';
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
    throw unmodelled(call, 'its name is taken in /dev/mapper');
  return { vg, name, tags: options.values.get('--addtag') ?? [] };
}

function bytesOf(text: string | undefined): number {
  return Number(/^(?<bytes>\d+)b$/.exec(text ?? '')?.groups?.bytes);
}
