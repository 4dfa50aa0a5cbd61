import { dataSize, deviceSizeFor, inWords, type Memory, memoryFor, towards } from '../drbd/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { usableVg } from '../lvm/index.ts';
import { refuseFull } from '../lvm/operations/extents.ts';
import { refuseKind } from '../lvm/operations/resized-volume.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import { sizeOf } from '../core/request.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { sizeFor } from './checks.ts';
import { type Member, type Members, type Reachable, stepsOn } from './hosts.ts';
import { type UpPart, upPartsOf, volumeAt } from './known-resource.ts';

/** A resource that will grow. */
export interface GrowPlan {
  readonly name: string;
  readonly volume: number;
  /** Sizes of the device. */
  readonly from: Bytes;
  readonly to: Bytes;
  readonly lvSize: Bytes;
  /** The sizes of both volumes are multiples of this number of bytes. */
  readonly step: Bytes;
  readonly hosts: readonly (Member & {
    readonly vg: string;
    readonly lv: string;
    readonly uuid: string;
    readonly now: Bytes;
    readonly memory: Memory | undefined;
  })[];
  /** The host that runs the resize: DRBD resizes only on a primary. */
  readonly primary: Member;
}

/**
 * Plans the growth of a resource to `20g`, by `+5g`, or to `max`: all the free space of both groups. Throws
 * one error that lists every refusal.
 */
export async function planGrow(options: {
  readonly members: Members;
  readonly name: string;
  readonly size: string | number;
}): Promise<GrowPlan> {
  const { members, name } = options;
  const parts = await upPartsOf(members, name);
  const { volume, size: from } = onlyVolume(parts);
  const asked = options.size === 'max' ? undefined : wanted(options.size, from);
  if (asked !== undefined && asked <= from)
    throw new UsageError(
      `${name} has ${formatSize(from)}, and ${formatSize(asked)} is not larger: bofh can only grow a resource`,
      {
        remedy: 'request a larger size, for example +5g',
      },
    );
  const found = refusals();
  const primary = await found.try(() => primaryOf(parts));
  for (const part of parts) await found.try(() => on(part.name, () => refuseUnsynced(part)));
  const looks = await found.each(
    parts,
    async (part, attempt): Promise<(GrowPlan['hosts'][number] & Room)[]> => {
      const hostState = await attempt(() => on(part.name, () => hostStateOf(part, { volume, from })));
      return hostState === undefined ? [] : [{ ...part, ...hostState }];
    },
  );
  found.throwAll();
  const hostStates = looks.flat();
  if (primary === undefined) throw new TypeError('a refusal was not reported');
  const lvSize =
    asked === undefined
      ? largestFor(name, hostStates)
      : sizeFor(hostStates, Math.max(deviceSizeFor(asked), ...hostStates.map(({ now }) => now)));
  await found.each(hostStates, ({ host, name: at, vg, lv, now, extentSize }, attempt) =>
    attempt(() =>
      on(at, async () =>
        refuseFull(await usableVg(host, vg), { name: lv, extents: (lvSize - now) / extentSize }),
      ),
    ),
  );
  found.throwAll();
  const step = sizeFor(hostStates, 1);
  return { name, volume, from, to: dataSize(lvSize), lvSize, step, hosts: hostStates, primary };
}

/**
 * Grows a resource: the volumes first, in the order of the hosts, then DRBD. All of it is irreversible and
 * runs after the commit. Before that every host records the position of its metadata: on a host that boots in
 * between, the metadata is in the middle of the disk.
 */
export async function growReplica(tx: Tx, hosts: Reachable, plan: GrowPlan): Promise<void> {
  const { name, volume, lvSize, primary } = plan;
  for (const each of plan.hosts) await remember(stepsOn(tx, hosts, each), each.memory);
  for (const each of plan.hosts)
    if (each.now < lvSize)
      await stepsOn(tx, hosts, each).lvm.resizeLv({
        ...{ vg: each.vg, name: each.lv, uuid: each.uuid, size: lvSize },
      });
  await stepsOn(tx, hosts, primary).drbd.resize({ name, volume, diskSize: lvSize });
}

async function remember({ file }: Tx, memory: Memory | undefined): Promise<void> {
  if (memory === undefined || memory.now === 'right') return;
  const { path, content, now } = memory;
  if (now === 'wrong') await file.remove({ path });
  await file.create({ path, content, mode: 0o644 });
}

/** The error if there is no free space to grow. */
export class AsLarge extends RefusedError {}

interface Room {
  readonly extentSize: Bytes;
  /** Free space of the volume group, in bytes. */
  readonly free: Bytes;
}

/** The size that the volumes of both hosts can have, in whole extents of both groups. */
function largestFor(
  name: string,
  hostStates: readonly (Room & { readonly now: Bytes; readonly vg: string; readonly name: string })[],
): Bytes {
  const room = Math.min(...hostStates.map(({ now, free }) => now + free));
  const step = sizeFor(hostStates, 1);
  const size = Math.floor(room / step) * step;
  if (size > Math.min(...hostStates.map(({ now }) => now))) return size;
  const full = hostStates.filter(({ free }) => free < step).map(({ vg, name: at }) => `${vg} on ${at}`);
  throw new AsLarge(`${name} is as large as it can be: nothing is free in ${full.join(' and ')}`, {
    remedy: 'add a disk to that group, there: bofh lvm vg extend VG DEVICE',
  });
}

function wanted(size: string | number, from: Bytes): Bytes {
  const more = /^\+(?<more>.+)$/.exec(String(size))?.groups?.more;
  return more === undefined ? sizeOf('size', size) : from + sizeOf('size', more);
}

function onlyVolume(parts: readonly [UpPart, UpPart]): {
  readonly volume: number;
  readonly size: Bytes;
} {
  const [only, ...more] = parts[0].resource.state.volumes;
  const { name } = parts[0].resource;
  if (only?.size !== undefined && more.length === 0) return { volume: only.volume, size: only.size };
  if (only === undefined || more.length === 0)
    throw new RefusedError(`${name} has no size now: it has neither a disk nor a peer`, {
      remedy: `see why: bofh drbd status ${name}`,
    });
  const volumes = parts.map(({ name: at, resource: { here } }) => {
    const each = here.volumes.map(
      ({ volume, disk = 'VG/LV' }) =>
        `bofh lvm resize ${disk.replace(/^\/dev\//, '')} +SIZE for volume ${String(volume)}`,
    );
    return `on ${at}: ${each.join(', or ')}`;
  });
  throw new RefusedError(
    `${name} has ${String(more.length + 1)} volumes: bofh cannot choose the one to grow`,
    {
      remedy: `grow one by hand, by the same size on each host; ${volumes.join('; ')}; then on the primary: bofh drbd resize ${name} --volume NUMBER`,
    },
  );
}

function primaryOf(parts: readonly UpPart[]): Member {
  const found = parts.find(({ resource }) => resource.state.role === 'Primary');
  if (found !== undefined) return found;
  const name = parts[0]?.resource.name ?? '';
  throw new RefusedError(`${name} is not primary on any host: DRBD grows it only while one host is primary`, {
    remedy: `make it primary on one host: bofh drbd promote ${name}`,
  });
}

function refuseUnsynced({ resource: { name, state } }: UpPart): void {
  const all = towards(state);
  const isSynced = all.every(
    ({ connection, disk, peerDisk }) =>
      connection === 'Connected' && disk === 'UpToDate' && peerDisk === 'UpToDate',
  );
  if (isSynced && all.length > 0) return;
  throw new RefusedError(`${name} is not up to date on both hosts: ${all.map(inWords).join('; ')}`, {
    remedy: `wait for it: bofh drbd wait-sync ${name}`,
  });
}

/** The logical volume below the resource. Throws RefusedError if it cannot be resized. */
async function hostStateOf(
  { host, resource: { name, here } }: UpPart,
  { volume, from }: { readonly volume: number; readonly from: Bytes },
) {
  const disk = here.volumes.find((each) => each.volume === volume);
  const path = disk?.metadata === 'internal' ? disk.disk : undefined;
  const found = path === undefined ? undefined : await volumeAt(host, path);
  if (disk === undefined || path === undefined || found === undefined)
    throw new RefusedError(`${name} is not on a logical volume with its metadata at the end`, {
      remedy: `make its disk larger on every host yourself, then: bofh drbd resize ${name}`,
    });
  const { lv } = found;
  refuseKind(found);
  const { extentSize, free } = await usableVg(host, lv.vg);
  // If the volume has grown already, the position of the metadata is unknown.
  const isWhole = dataSize(lv.size) === from;
  const memory = isWhole
    ? await memoryFor(host, { minor: disk.minor, disk: path, size: lv.size })
    : undefined;
  return { vg: lv.vg, lv: lv.name, uuid: lv.uuid, now: lv.size, extentSize, free, memory };
}
