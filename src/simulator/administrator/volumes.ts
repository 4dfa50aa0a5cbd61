import { findLv } from '../world/devices.ts';
import type { LogicalVolume } from '../world/parts.ts';
import { lvconvertCopies } from '../tools/lvm/raid.ts';
import { beginMove } from '../tools/lvm/pvmove.ts';
import { allocate, createLv, joined, placeOf, removeLv } from '../tools/lvm/volumes.ts';
import type { World } from '../world/world.ts';
import { type WrapAct, must } from './act.ts';
import { groupOf } from './groups.ts';

/** Acts of an administrator on logical volumes. */
export interface VolumeAdmin {
  /**
   * Creates and activates a logical volume with this number of extents (4 MiB each, unless its
   * group has others).
   */
  lvcreate(make: {
    /** Its volume group. */
    readonly vg: string;
    /** Its name in the group. */
    readonly name: string;
    /** Its size in extents of the group (default of a group: 4 MiB each). */
    readonly extents: number;
    /** Tags of LVM (default: none). */
    readonly tags?: readonly string[];
  }): LogicalVolume;
  /** Creates a classic snapshot. */
  snapshot(make: {
    /** Its volume group. */
    readonly vg: string;
    /** Its name in the group. */
    readonly name: string;
    /** The name of the volume that it is a snapshot of. */
    readonly origin: string;
    /** Its space for changes, in extents of the group. */
    readonly extents: number;
  }): LogicalVolume;
  /** Creates a thin pool. */
  thinPool(make: {
    /** Its volume group. */
    readonly vg: string;
    /** Its name in the group. */
    readonly name: string;
    /** Its size in extents of the group. */
    readonly extents: number;
  }): LogicalVolume;
  /** Creates a thin volume, or with `origin` a thin snapshot. */
  thinVolume(make: {
    /** Its volume group. */
    readonly vg: string;
    /** Its name in the group. */
    readonly name: string;
    /** The name of its thin pool. */
    readonly pool: string;
    /** Its virtual size in extents of the group. */
    readonly extents: number;
    /** The name of the thin volume that it is a snapshot of (default: none). */
    readonly origin?: string;
  }): LogicalVolume;
  /** Sets the usage of a pool or a snapshot. */
  fill(
    vg: string,
    name: string,
    of: {
      /** Used data space, in percent. */
      readonly data: number;
      /** Used metadata space, in percent. */
      readonly metadata?: number;
    },
  ): void;
  /** Grows a volume to this number of extents; its content stays as it is. */
  lvextend(vg: string, name: string, extents: number): void;
  /** Adds a second copy (raid1) of a linear volume, on a device. */
  addCopy(vg: string, name: string, device: string): void;
  /**
   * Starts to move extents of a volume, `/dev/vdb:0-3` to `/dev/vdc:0-3`, and is killed half-way.
   */
  beginMove(vg: string, name: string, from: string, to: string): void;
  /** Removes a volume. */
  lvremove(vg: string, name: string): void;
  /** Renames a volume. */
  lvrename(vg: string, from: string, to: string): void;
}

/** Returns these methods for a simulated host. */
export function volumeActs(world: World, does: WrapAct): VolumeAdmin {
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
