import { findLv } from '../world/devices.ts';
import type { LogicalVolume } from '../world/parts.ts';
import { lvconvertCopies } from '../tools/lvm/raid.ts';
import { beginMove } from '../tools/lvm/pvmove.ts';
import { allocate, createLv, joined, placeOf, removeLv } from '../tools/lvm/volumes.ts';
import type { World } from '../world/world.ts';
import { type Does, must } from './act.ts';
import { groupOf } from './groups.ts';

/** Acts of an administrator on logical volumes. */
export interface VolumeAdmin {
  lvcreate(make: {
    readonly vg: string;
    readonly name: string;
    readonly extents: number;
    readonly tags?: readonly string[];
  }): LogicalVolume;
  snapshot(make: {
    readonly vg: string;
    readonly name: string;
    readonly origin: string;
    readonly extents: number;
  }): LogicalVolume;
  thinPool(make: { readonly vg: string; readonly name: string; readonly extents: number }): LogicalVolume;
  /** `extents`: its virtual size. */
  thinVolume(make: {
    readonly vg: string;
    readonly name: string;
    readonly pool: string;
    readonly extents: number;
    readonly origin?: string;
  }): LogicalVolume;
  /** How full it is, in percent. */
  fill(vg: string, name: string, of: { readonly data: number; readonly metadata?: number }): void;
  /** To so many extents. */
  lvextend(vg: string, name: string, extents: number): void;
  /** A second copy of a linear volume, on a device. */
  addCopy(vg: string, name: string, device: string): void;
  /** Begins to move extents of a volume, `/dev/vdb:0-3` to `/dev/vdc:0-3`, and is killed half-way. */
  beginMove(vg: string, name: string, from: string, to: string): void;
  lvremove(vg: string, name: string): void;
  lvrename(vg: string, from: string, to: string): void;
}

/** These acts, on a host in memory. */
export function volumeActs(world: World, does: Does): VolumeAdmin {
  const lvOf = (vg: string, name: string) => must(findLv(world, vg, name), `volume ${vg}/${name}`);
  return {
    lvcreate: does(({ vg, tags = [], ...make }) => createLv(world, groupOf(world, vg), { ...make, tags })),
    snapshot: does(({ vg, origin, ...make }) =>
      createLv(world, groupOf(world, vg), { ...make, tags: [], origin: lvOf(vg, origin).lv.uuid }),
    ),
    thinPool: does(({ vg, ...make }) =>
      createLv(world, groupOf(world, vg), {
        ...{ ...make, tags: [], layout: 'thin,pool', role: 'private', data: 0, metadata: 10 },
        moreExtents: 1,
      }),
    ),
    thinVolume: does(({ vg, pool, origin, ...make }) =>
      createLv(world, groupOf(world, vg), {
        ...{ ...make, tags: [], pool: lvOf(vg, pool).lv.uuid },
        ...(origin === undefined ? {} : { origin: lvOf(vg, origin).lv.uuid }),
      }),
    ),
    fill: does((vg, name, of) => void Object.assign(lvOf(vg, name).lv, of)),
    lvextend: does((group, name, extents) => {
      const { vg, lv } = lvOf(group, name);
      lv.runs = joined([...(lv.runs ?? []), ...allocate(vg, extents - lv.extents)]);
      lv.extents = extents;
      vg.seqno += 1;
    }),
    addCopy: does((vg, name, device) => {
      const argv = ['--type', 'raid1', '--mirrors', '1', '--yes', `${vg}/${name}`, device];
      const { exitCode, stderr } = lvconvertCopies({ world, tool: 'lvconvert', argv });
      if (exitCode !== 0) throw new TypeError(stderr);
    }),
    beginMove: does((group, name, from, to) => {
      const { vg, lv } = lvOf(group, name);
      const at = (place: string) => must(placeOf(vg, place), place);
      beginMove(world, vg, lv, { from: at(from), to: at(to) });
    }),
    lvremove: does((vg, name) => removeLv(world, groupOf(world, vg), lvOf(vg, name).lv)),
    lvrename: does((vg, from, to) => {
      lvOf(vg, from).lv.name = to;
      groupOf(world, vg).seqno += 1;
    }),
  };
}
