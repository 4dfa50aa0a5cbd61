import { dmName, dmUuid } from './dm-names.ts';
import type { LogicalVolume, VolumeGroup } from './parts.ts';
import type { World } from './world.ts';

/**
 * A device that lvm creates beneath its volumes, and does not list: a thin pool as its volumes use
 * it (`-tpool`), its data and metadata, an origin without its snapshots (`-real`), the space of a
 * snapshot (`-cow`). Names and uuids as in lib/activate/dev_manager.c and build_dm_uuid of
 * lib/misc/lvm-string.c (2.03.16).
 */
export interface Layer {
  readonly id: string;
  readonly vg: VolumeGroup;
  readonly name: string;
  readonly dmUuid: string;
  readonly size: number;
  /** Ids of the layers below; empty: it is on the devices of the group. */
  readonly lower: readonly string[];
}

/**
 * From this minor number on, only layers get numbers, so that the numbers of volumes in a test do
 * not depend on layers.
 */
export const firstLayerMinor = 2 ** 19;

/**
 * Returns the layers of all active volumes. In a plan, the real host shows the layers of its real
 * volumes itself.
 */
export function layersOf(world: World): readonly Layer[] {
  return world.lvm.flatMap((vg) => {
    const here = vg.lvs.filter(
      ({ uuid }) => world.active.has(uuid) && world.overlay?.volumes.has(uuid) !== true,
    );
    const origins = classicOrigins(vg);
    const wanted = new Set(here.flatMap((lv) => lowerOf(vg, lv, origins)));
    if (wanted.size === 0) return [];
    // An origin may be in a pool.
    const all = new Set([
      ...wanted,
      ...vg.lvs.flatMap((lv) => (wanted.has(`${lv.uuid}-real`) ? inPool(lv) : [])),
    ]);
    return vg.lvs.flatMap((lv) => layersOfVolume(vg, lv)).filter(({ id }) => all.has(ownerId(id)));
  });
}

function classicOrigins(vg: VolumeGroup): ReadonlySet<string | undefined> {
  return new Set(vg.lvs.filter(isClassicSnapshot).map(({ origin }) => origin));
}

/** Returns the ids of the layers below a volume. */
export function lowerOf(
  vg: VolumeGroup,
  lv: LogicalVolume,
  origins: ReadonlySet<string | undefined> = classicOrigins(vg),
): readonly string[] {
  if (isPool(lv)) return [`${lv.uuid}-tpool`];
  if (isClassicSnapshot(lv)) return [`${lv.origin ?? ''}-real`, `${lv.uuid}-cow`];
  if (origins.has(lv.uuid)) return [`${lv.uuid}-real`];
  return inPool(lv);
}

function inPool({ pool }: LogicalVolume): readonly string[] {
  return pool === undefined ? [] : [`${pool}-tpool`];
}

function layersOfVolume(vg: VolumeGroup, lv: LogicalVolume): readonly Layer[] {
  const { uuid, name, extents, moreExtents = 0 } = lv;
  const layer = (suffix: string, size: number, lower: readonly string[] = []): Layer => ({
    ...{ id: `${uuid}-${suffix}`, vg, lower },
    name: `${dmName(vg.name, name)}-${suffix}`,
    dmUuid: `${dmUuid(vg, lv)}-${suffix}`,
    size: size * vg.extentSize,
  });
  const inner = (suffix: string, size: number): Layer => ({
    ...layer(suffix, size),
    name: dmName(vg.name, `${name}_${suffix}`),
    dmUuid: `${dmUuid(vg, { uuid: innerUuid(uuid, suffix) })}-${suffix}`,
  });
  if (isPool(lv))
    return [
      inner('tmeta', moreExtents),
      inner('tdata', extents),
      layer('tpool', extents, [`${uuid}-tmeta`, `${uuid}-tdata`]),
    ];
  return [layer('real', extents, inPool(lv)), ...(isClassicSnapshot(lv) ? [layer('cow', extents)] : [])];
}

/**
 * Returns the id of the layer with which a layer exists: data and metadata of a pool exist with the
 * pool.
 */
function ownerId(id: string): string {
  return id.replace(/-t(?:meta|data)$/, '-tpool');
}

/**
 * Returns a UUID for the data or metadata of a pool: both are volumes with their own UUIDs, which
 * is all the model knows about them.
 */
function innerUuid(uuid: string, suffix: string): string {
  return `${suffix}${uuid.slice(suffix.length)}`;
}

function isPool({ layout }: LogicalVolume): boolean {
  return layout === 'thin,pool';
}

/**
 * Whether a volume is a classic snapshot, with its own space for changes; a thin snapshot has none.
 */
export function isClassicSnapshot({ origin, pool }: LogicalVolume): boolean {
  return origin !== undefined && pool === undefined;
}
