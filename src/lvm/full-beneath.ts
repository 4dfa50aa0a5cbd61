import { posix } from 'node:path';
import { deviceNode, kernelText } from '../blockdevice/index.ts';
import { kernelNames } from '../blockdevice/node.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { fullreport } from './report-commands.ts';
import { reported } from './unreadable.ts';
import {
  fillingOf,
  type Full,
  isClassicSnapshot,
  refuseFull,
  whyFullPool,
  whyFullSnapshot,
} from './filling.ts';
import { refuseNoRoom } from './room.ts';
import { identityOfVolume } from './operations/taken.ts';
import type { Bytes } from '../core/units.ts';
import type { LogicalVolume } from './objects.ts';

/**
 * RefusedError when a device lies on a thin pool or a classic snapshot that is full, at whatever depth, or when its next writes
 * lose a snapshot that is nearly full; with `bytes` also when so many, written to different places, have no room in a pool. `what`
 * is not done. lvm is asked only where the kernel shows one of them beneath.
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

/** A device of lvm's own beneath a volume, known by the volume's identity. */
export interface Layer {
  readonly identity: string;
  readonly sort: 'pool' | 'snapshot' | 'origin';
  /** Of a pool: the volume in it that alone has all that is written to the device. */
  readonly thin?: string;
}

// dev_manager.c and build_dm_uuid of lvm2 2.03.16: the uuid of the volume, then which layer of it this is.
const layerUuid = /^(?<identity>LVM-[A-Za-z0-9]{64})-(?<layer>tpool|cow|real)$/;

/** Does a device lie on a thin pool or a classic snapshot, so that writing to it may come to an end of its room? */
export async function hasLimitedRoom(host: ReadHost, device: string): Promise<boolean> {
  return (await layersOf(host, device)).length > 0;
}

/** The pools and the classic snapshots beneath a device, as the kernel has them. */
export async function layersOf(host: ReadHost, device: string): Promise<readonly Layer[]> {
  const { number } = await deviceNode(host, device);
  return layersBeneath(host, number);
}

/** Only slaves are followed: whether a file behind a loop device has its blocks already nobody can tell. */
async function layersBeneath(
  host: ReadHost,
  number: string,
  above?: string,
  whole = true,
): Promise<readonly Layer[]> {
  const sys = await wholeDevice(host, `/sys/dev/block/${number}`);
  const uuid = (await kernelText(host, `${sys}/dm/uuid`)) ?? '';
  const found = layerOf(uuid, above).map((layer) =>
    whole && layer.sort === 'pool' ? { ...layer, ...thinOf(above) } : layer,
  );
  const names = await kernelNames(host, `${sys}/slaves`);
  for (const name of names) {
    const lower = await kernelText(host, `${sys}/slaves/${name}/dev`);
    if (lower === undefined) throw new ParseError(`${sys}/slaves/${name} has no device number`);
    found.push(...(await layersBeneath(host, lower, uuid, whole && names.length === 1)));
  }
  return found;
}

/** What is written to a snapshot goes into its room; what is written to the origin itself, into the rooms of all its snapshots. */
function layerOf(uuid: string, above: string | undefined): readonly Layer[] {
  const { identity, layer } = layerUuid.exec(uuid)?.groups ?? {};
  if (identity === undefined) return [];
  if (layer === 'tpool') return [{ identity, sort: 'pool' }];
  if (layer === 'cow') return [{ identity, sort: 'snapshot' }];
  return above === identity ? [{ identity, sort: 'origin' }] : [];
}

function thinOf(above: string | undefined): Pick<Layer, 'thin'> {
  return above === undefined ? {} : { thin: above };
}

/** The slaves of a partition are those of its disk. */
async function wholeDevice(host: ReadHost, sys: string): Promise<string> {
  if ((await kernelText(host, `${sys}/partition`)) === undefined) return sys;
  return posix.dirname(posix.resolve(posix.dirname(sys), await host.readLink(sys)));
}

/** Why nothing may be written to what lies on a layer. Undefined: it may. */
export function whyFullLayer(volumes: readonly LogicalVolume[], { identity, sort }: Layer): Full | undefined {
  const lv = volumes.find((each) => identityOfVolume(each) === identity);
  if (lv === undefined)
    return {
      why: `the kernel has a ${sort} ${identity} beneath, of which lvm knows nothing`,
      remedy: 'compare lvs -a -o +vg_uuid,lv_uuid with dmsetup info -c -o name,uuid',
    };
  if (sort === 'pool') return whyFullPool(lv);
  if (sort === 'snapshot') return whyFilled(lv);
  // One that is full to the brim is lost already.
  return volumes
    .filter((each) => each.origin?.uuid === lv.uuid && isClassicSnapshot(each) && (each.data ?? 0) < 100)
    .map(whyFullSnapshot)
    .find((full) => full !== undefined);
}

function whyFilled(snapshot: LogicalVolume): Full | undefined {
  if (fillingOf(snapshot) !== 'untold') return whyFullSnapshot(snapshot);
  return {
    why: `how full the snapshot ${snapshot.fullName} is cannot be told`,
    remedy: `look at it: lvs -a -o +lv_health_status ${snapshot.fullName}`,
  };
}
