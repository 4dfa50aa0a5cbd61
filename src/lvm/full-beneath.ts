import { posix } from 'node:path';
import { deviceNode, kernelText } from '../blockdevice/index.ts';
import type { Key } from '../atomic/operation.ts';
import { namesIn, type ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { fullreport, lvs } from './report-commands.ts';
import { reported } from './unreadable.ts';
import {
  fillingOf,
  type Full,
  isClassicSnapshot,
  isThinPool,
  refuseFull,
  whyFullPool,
  whyFullSnapshot,
  fullLimit,
} from './filling.ts';
import { identityOfVolume } from './operations/refuse-taken.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { LogicalVolume, VolumeGroup } from './objects.ts';
import { present } from '../core/present.ts';
import { autoextendThreshold } from './commands.ts';

/**
 * RefusedError if a thin pool or classic snapshot at any depth beneath a device is full, or if the
 * next writes would lose a nearly full snapshot. With `bytes`, also if that many bytes, written to
 * different places, do not fit into a pool. `what` names the refused action. Runs lvm only if the
 * kernel shows a pool or snapshot beneath.
 */
export async function refuseFullBeneath(
  host: ReadHost,
  device: string,
  what: string,
  { bytes }: { readonly bytes?: Bytes } = {},
): Promise<void> {
  const layers = await layersOf(host, device);
  if (layers.length === 0) return;
  const groups = await reported(host, fullreport());
  const volumes = groups.flatMap((vg) => vg.volumes);
  for (const layer of layers) {
    refuseFull(whyFullLayer(volumes, layer), what);
    const of = (identity: string | undefined): LogicalVolume | undefined =>
      volumes.find((each) => identityOfVolume(each) === identity);
    const [pool, thin] = [of(layer.identity), of(layer.thin)];
    const group = groups.find(({ uuid }) => uuid === pool?.vgUuid);
    if (bytes !== undefined && pool !== undefined && thin !== undefined && group !== undefined)
      await refuseNoRoom(host, { pool, thin, group, bytes, what });
  }
}

/**
 * Returns the full thin pool or classic snapshot to which a step with these keys writes; undefined:
 * none. Its remedy is a command of lvm, because an unfinished sequence locks the volumes for
 * commands of bofh.
 */
export async function fullAmong(
  host: ReadHost,
  keys: readonly Key[],
): Promise<{ readonly why: string; readonly remedy: string } | undefined> {
  if (!keys.some((key) => key.startsWith('lv:'))) return undefined;
  const isAmong = (name: string): boolean => keys.includes(`lv:${name}`);
  for (const lv of await reported(host, lvs())) {
    // A snapshot that is completely full is invalid, and its origin can still be written to.
    const isWritten =
      isAmong(lv.fullName) ||
      (isClassicSnapshot(lv) && (lv.data ?? 0) < 100 && isAmong(`${lv.vg}/${lv.origin?.name ?? ''}`));
    const full = !isWritten ? undefined : isThinPool(lv) ? whyFullPool(lv) : whyFullSnapshot(lv);
    if (full?.byLvm !== undefined) return { why: full.why, remedy: full.byLvm };
  }
  return undefined;
}

/** Like `fullAmong`, for the volumes beneath a device. */
export async function fullUnder(host: ReadHost, device: string): ReturnType<typeof fullAmong> {
  const layers = await layersOf(host, device);
  if (layers.length === 0) return undefined;
  const volumes = await reported(host, lvs());
  for (const layer of layers) {
    const full = whyFullLayer(volumes, layer);
    if (full?.byLvm !== undefined) return { why: full.why, remedy: full.byLvm };
  }
  return undefined;
}

/** A layer of lvm beneath a device, identified by the uuid of its volume. */
export interface Layer {
  readonly identity: string;
  readonly sort: 'pool' | 'snapshot' | 'origin';
  /** For a pool: the thin volume in it that receives all writes to the device. */
  readonly thin?: string;
}

// dev_manager.c and build_dm_uuid of lvm2 2.03.16: the uuid of the volume, then its layer.
const layerUuid = /^(?<identity>LVM-[A-Za-z0-9]{64})-(?<layer>tpool|cow|real)$/;

/**
 * Whether a device is on a thin pool or a classic snapshot, so that writes can run out of space.
 */
export async function hasLimitedRoom(host: ReadHost, device: string): Promise<boolean> {
  return (await layersOf(host, device)).length > 0;
}

/** Returns the pools and classic snapshots beneath a device, as the kernel shows them. */
export async function layersOf(host: ReadHost, device: string): Promise<readonly Layer[]> {
  const { number } = await deviceNode(host, device);
  return layersBeneath(host, number);
}

/**
 * Follows only slaves: it is unknown whether a file behind a loop device already has its blocks.
 */
async function layersBeneath(
  host: ReadHost,
  number: string,
  above?: string,
  whole = true,
): Promise<readonly Layer[]> {
  const sys = await wholeDevice(host, `/sys/dev/block/${number}`);
  const uuid = (await kernelText(host, `${sys}/dm/uuid`)) ?? '';
  const found = layerOf(uuid, above).map((layer) =>
    whole && layer.sort === 'pool' ? { ...layer, ...present({ thin: above }) } : layer,
  );
  const names = await namesIn(host, `${sys}/slaves`);
  for (const name of names) {
    const lower = await kernelText(host, `${sys}/slaves/${name}/dev`);
    if (lower === undefined) throw new ParseError(`${sys}/slaves/${name} has no device number`);
    found.push(...(await layersBeneath(host, lower, uuid, whole && names.length === 1)));
  }
  return found;
}

/**
 * Writes to a snapshot use its own space; writes to the origin use the space of all its snapshots.
 */
function layerOf(uuid: string, above: string | undefined): readonly Layer[] {
  const { identity, layer } = layerUuid.exec(uuid)?.groups ?? {};
  if (identity === undefined) return [];
  if (layer === 'tpool') return [{ identity, sort: 'pool' }];
  if (layer === 'cow') return [{ identity, sort: 'snapshot' }];
  return above === identity ? [{ identity, sort: 'origin' }] : [];
}

/** Returns the disk of a partition, whose slaves are those of the partition. */
async function wholeDevice(host: ReadHost, sys: string): Promise<string> {
  if ((await kernelText(host, `${sys}/partition`)) === undefined) return sys;
  return posix.dirname(posix.resolve(posix.dirname(sys), await host.readLink(sys)));
}

/** Returns why nothing may be written above a layer. Undefined: it may. */
export function whyFullLayer(volumes: readonly LogicalVolume[], { identity, sort }: Layer): Full | undefined {
  const lv = volumes.find((each) => identityOfVolume(each) === identity);
  if (lv === undefined)
    return {
      why: `the kernel has a ${sort} ${identity} below the device, and lvm does not know this ${sort}`,
      remedy: 'compare the uuids: lvs -a -o +vg_uuid,lv_uuid; dmsetup info -c -o name,uuid',
    };
  if (sort === 'pool') return whyFullPool(lv);
  if (sort === 'snapshot') return whyFilled(lv);
  // A completely full snapshot is already lost.
  return volumes
    .filter((each) => each.origin?.uuid === lv.uuid && isClassicSnapshot(each) && (each.data ?? 0) < 100)
    .map(whyFullSnapshot)
    .find((full) => full !== undefined);
}

function whyFilled(snapshot: LogicalVolume): Full | undefined {
  if (fillingOf(snapshot) !== 'unknown') return whyFullSnapshot(snapshot);
  return {
    why: `the usage of the snapshot ${snapshot.fullName} is unknown`,
    remedy: `look at it: lvs -a -o +lv_health_status ${snapshot.fullName}`,
  };
}

/** lvs rounds to two digits, so up to this percentage may be shown as 0. */
const rounding = 0.01;

/**
 * RefusedError if a pool has no space for that many bytes in one of its volumes. Blocks that the
 * volume already has count as space, because lvm does not report which of them are shared with a
 * snapshot. So a write that is refused here would certainly have failed.
 */
async function refuseNoRoom(
  host: ReadHost,
  asked: {
    readonly pool: LogicalVolume;
    readonly thin: LogicalVolume;
    readonly group: Pick<VolumeGroup, 'free'>;
    readonly bytes: Bytes;
    readonly what: string;
  },
): Promise<void> {
  const { pool, thin, group, bytes, what } = asked;
  if (pool.data === undefined || thin.data === undefined) return;
  const needed = Math.floor(bytes - (thin.size * Math.min(100, thin.data + rounding)) / 100);
  const room = Math.ceil((pool.size * (fullLimit - pool.data + rounding)) / 100);
  if (needed <= room) return;
  // A pool that lvm extends automatically can also use the free space of its group.
  if (needed <= room + group.free && (await host.run(autoextendThreshold())) < 100) return;
  throw new RefusedError(
    `the pool ${pool.fullName} has space for ${formatSize(room)} until it is ${fullLimit} % full (data ${pool.data} %), but ${what} needs at least ${formatSize(needed)}: nothing was started`,
    {
      remedy: `give it more space: bofh lvm pool resize ${pool.fullName} --size +${Math.ceil((needed - room) / mebibyte)}m; or remove volumes from it`,
    },
  );
}

const mebibyte = 1024 ** 2;
