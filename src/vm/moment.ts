import { deviceNode, holders, inWords, mountEntries, refuseGuests, remedyFor } from '../blockdevice/index.ts';
import { follow, type ReadHost } from '../command/index.ts';
import { type Holder, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { checkLvName, type LogicalVolume, lvs, usableVg } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import { isOf } from '../mount/index.ts';
import type { Site } from '../site.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import {
  type Disk,
  type Domain,
  domains,
  type GuestConfig,
  domainRemedy,
  frozenNow,
  usableAgent,
} from '../xen/index.ts';
import { wordsOf } from './guest-file.ts';
import { volumeOf } from './remove.ts';
import { copyHere, isReplicated } from './replicas.ts';

/** A disk of a guest, and its planned snapshot. */
export interface SnapshotDisk {
  readonly vdev: string;
  readonly vg: string;
  readonly volume: string;
  readonly uuid: string;
  readonly pool: string | null;
  /** Space of a classic snapshot. */
  readonly room: { readonly size: Bytes } | { readonly extents: string } | undefined;
  readonly active: boolean;
  readonly snapshot: string;
  /** For a disk that DRBD replicates: its resource, its size, after which the volume has metadata, and the disk of the guest. */
  readonly replica: { readonly resource: string; readonly size: Bytes; readonly disk: Disk } | undefined;
}

/** The disks of a guest at one moment, as planned. */
export interface Moment {
  readonly name: string;
  readonly guest: GuestConfig;
  readonly domain: Domain | undefined;
  /** Whether the filesystems of the guest will be frozen. */
  readonly frozen: boolean;
  readonly disks: readonly SnapshotDisk[];
}

/**
 * Plans a snapshot of every disk of a guest. Throws RefusedError if one is not a logical volume, if there is
 * no space, if the guest is neither running, paused nor off, or if its guest agent does not answer.
 *
 * @param suffix - Each snapshot is named after its volume: `web1-root-SUFFIX`.
 * @param use - The purpose of the snapshots, as a verb: "saves".
 */
export async function planMoment(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly name: string;
    readonly suffix: string;
    readonly use: string;
    readonly snapshotSize?: Bytes | undefined;
    /** The option for `snapshotSize` (default: that of a backup). */
    readonly sizeOption?: string;
    /** The remedy if a disk is not a logical volume (default: save it inside the guest). */
    readonly otherwise?: string;
    /** Accept disks that DRBD replicates: the snapshot is one of the volume beneath (default: refuse them). */
    readonly replicated?: boolean;
    /** Freeze the filesystems of a running guest with a guest agent (default: true). */
    readonly freeze?: boolean | undefined;
    /** Paths, as in the configuration, of the disks to snapshot (default: all disks). */
    readonly only?: ReadonlySet<string>;
  },
): Promise<Moment> {
  const { site, name } = of;
  const { guest } = await guestIn(host, { name, site });
  const domain = await domainOfGuest(host, guest);
  if (domain !== undefined && domain.state !== 'running' && domain.state !== 'paused')
    throw new RefusedError(`the domain ${name} (id ${domain.id}) is ${domain.state}`, {
      remedy: domainRemedy(domain),
    });
  const known = await lvs(host);
  const wanted = guest.disks.filter(
    ({ devtype, path }) => devtype === 'disk' && of.only?.has(path ?? '') !== false,
  );
  const disks: SnapshotDisk[] = [];
  for (const disk of wanted) disks.push(await planDisk(host, { ...of, disk, known }));
  if (domain === undefined) await refuseWritten(host, name, wanted);
  if (disks.length === 0) throw new UsageError(`${name} has no disk`, { remedy: `bofh vm show ${name}` });
  await refuseNoRoom(host, disks, of.sizeOption ?? option('--snapshot-size', 'snapshotSize'));
  const freezes = of.freeze !== false && domain?.state === 'running';
  const frozen = freezes && (await usableAgent(host, domain)) !== undefined;
  return { name, guest, domain, frozen, disks };
}

async function planDisk(
  host: ReadHost,
  of: {
    readonly name: string;
    readonly disk: Disk;
    readonly known: readonly LogicalVolume[];
    readonly suffix: string;
    readonly use: string;
    readonly otherwise?: string;
    readonly replicated?: boolean;
    readonly snapshotSize?: Bytes | undefined;
  },
): Promise<SnapshotDisk> {
  const { name, disk, known, suffix, use, otherwise = 'save it inside the guest', snapshotSize } = of;
  const { vdev } = disk;
  const copy =
    of.replicated === true && isReplicated(wordsOf(disk))
      ? await copyHere(host, { disk, guest: name })
      : undefined;
  const path = copy?.device ?? disk.path;
  const lv = path === undefined || disk.format !== 'raw' ? undefined : await volumeOf(host, known, path);
  if (lv === undefined)
    throw new RefusedError(
      isReplicated(wordsOf(disk)) && copy === undefined
        ? `the disk ${wordsOf(disk)} of ${name} is replicated by DRBD, and bofh does not ${use.replace(/s$/, '')} these`
        : `the disk ${copy?.device ?? wordsOf(disk)} of ${name} is not a logical volume, and bofh ${use} only these`,
      { remedy: `${otherwise}; see its disks: bofh vm show ${name}` },
    );
  if (!/^[A-Za-z0-9]{1,16}$/.test(vdev))
    throw new UsageError(
      `the disk ${wordsOf(disk)} of ${name} has the name ${JSON.stringify(vdev)}, which is not only letters and digits`,
      {
        remedy: 'give it another name in the configuration, for example xvda',
      },
    );
  const snapshot = `${lv.name}-${suffix}`;
  checkLvName(lv.vg, snapshot);
  const isThin = lv.layout.includes('thin');
  return {
    ...{ vdev, vg: lv.vg, volume: lv.name, uuid: lv.uuid, snapshot, active: lv.active === true },
    pool: isThin ? (lv.pool?.name ?? null) : null,
    room: isThin ? undefined : snapshotSize === undefined ? { extents: '20%ORIGIN' } : { size: snapshotSize },
    replica: copy === undefined ? undefined : { resource: copy.resource, size: copy.size, disk },
  };
}

/**
 * Throws RefusedError if the disks of a guest that is off may change nevertheless: a guest with another name or
 * configuration has one of them, or one of several is in use on this host, and only a guest can be paused.
 */
async function refuseWritten(host: ReadHost, name: string, disks: readonly Disk[]): Promise<void> {
  const active: string[] = [];
  for (const { path } of disks)
    if (path !== undefined && (await follow(host, path)).stat?.kind === 'block') active.push(path);
  for (const path of active) await refuseGuests(host, path, 'ro');
  if (disks.length === 1) return;
  for (const path of active) {
    const held = (await holders(host, path)).filter(({ kind }) => kind !== 'guest');
    if (held.length === 0 || (await isOnlyRead(host, path, held))) continue;
    throw new RefusedError(
      `${path}, a disk of ${name}, is in use: ${inWords(held)}. The snapshots of its disks would be from different moments`,
      { code: 'in-use', remedy: remedyOf(name, held), holders: held },
    );
  }
}

/** Also closes LUKS devices, and unmounts what is mounted in the root of the guest. */
function remedyOf(name: string, held: readonly Holder[]): string {
  const byBofh = held.every(({ kind }) => kind === 'mount' || kind === 'mapping');
  const unmount = `bofh vm unmount ${name}; then run the command again`;
  return byBofh ? unmount : (remedyFor(held) ?? unmount);
}

/** Whether only read-only mounts use a device. */
async function isOnlyRead(host: ReadHost, path: string, held: readonly Holder[]): Promise<boolean> {
  const { number } = await deviceNode(host, path);
  if (!held.every(({ kind }) => kind === 'mount')) return false;
  for (const entry of await mountEntries(host))
    if ((await isOf(host, entry, number)) && !entry.superOptions.split(',').includes('ro')) return false;
  return true;
}

/** Throws RefusedError if a volume group has no space for all snapshots of these disks. */
async function refuseNoRoom(
  host: ReadHost,
  disks: readonly SnapshotDisk[],
  sizeOption: string,
): Promise<void> {
  for (const name of new Set(disks.map(({ vg }) => vg))) {
    const vg = await usableVg(host, name);
    const wanted = disks.flatMap(({ vg: own, room, volume }) => {
      const size = vg.volumes.find((each) => each.name === volume)?.size ?? 0;
      if (own !== name || room === undefined) return [];
      return [Math.ceil(('size' in room ? room.size : size / 5) / vg.extentSize)];
    });
    const extents = wanted.reduce((sum, each) => sum + each, 0);
    if (extents > vg.freeExtents)
      throw new RefusedError(
        `the snapshots need ${formatSize(extents * vg.extentSize)} in the volume group ${name}, where ${formatSize(vg.free)} is free`,
        {
          code: 'no-space',
          remedy: `give each less with ${sizeOption}, or add a device: bofh lvm vg extend ${name} DEVICE`,
        },
      );
  }
}

/** A snapshot that was made. */
export interface Snapshot<D extends SnapshotDisk> {
  readonly disk: D;
  readonly device: string;
  readonly uuid: string;
  /** Removes it; does nothing for a snapshot that stays. */
  readonly release: () => Promise<void>;
}

/**
 * Makes snapshots of all disks at one moment. A single disk needs no pause, because lvm suspends it; for
 * several disks the guest is paused. A guest with a guest agent freezes its filesystems before.
 *
 * @param lasting - False: the snapshots are removed at the end of the sequence, and thin ones are active.
 */
export async function takeSnapshots<D extends SnapshotDisk>(
  tx: Tx,
  host: ReadHost,
  plan: Omit<Moment, 'disks' | 'guest'> & { readonly disks: readonly D[]; readonly lasting: boolean },
): Promise<readonly Snapshot<D>[]> {
  const { name, disks, domain, frozen, lasting } = plan;
  const pauses = disks.length > 1 && domain?.state === 'running';
  const temporary = tx.temporary;
  const origins = new Map<D, { readonly release: () => Promise<void> }>();
  // A classic snapshot is readable only while its origin is active; a lasting one is not read.
  for (const disk of disks)
    if (!lasting && !disk.active && disk.room !== undefined)
      origins.set(disk, await temporary.lvm.activateLv({ vg: disk.vg, name: disk.volume }));
  const running = domain?.state === 'running' ? { name, uuid: domain.uuid } : undefined;
  const freeze = running && frozen ? await temporary.xen.freeze(running) : undefined;
  const pause = pauses
    ? await temporary.xen.set({ name, uuid: domain.uuid, setting: 'paused', to: 1 })
    : undefined;
  const made: Snapshot<D>[] = [];
  for (const disk of disks) {
    const { vg, volume: origin, uuid: originUuid, snapshot, room } = disk;
    const asked = { vg, origin, originUuid, name: snapshot, ...(room ?? { active: !lasting }) };
    if (lasting) {
      const { path: device, uuid } = await tx.lvm.createSnapshot(asked);
      made.push({ disk, device, uuid, release: () => Promise.resolve() });
      continue;
    }
    const { path: device, uuid, ...lv } = await temporary.lvm.createSnapshot(asked);
    const release = async (): Promise<void> => {
      await lv.release();
      await origins.get(disk)?.release();
    };
    made.push({ disk, device, uuid, release });
  }
  if (disks.length > 1) await refuseChanged(host, plan, pauses ? 'paused' : domain?.state);
  for (const { replica } of disks) if (replica !== undefined) await refuseResized(host, name, replica);
  await pause?.release();
  if (freeze !== undefined) await refuseThawed(host, name, freeze.socket);
  await freeze?.release();
  return made;
}

/**
 * Throws RefusedError if the guest thawed its filesystems by itself: then it may have written before the snapshots.
 * Before, the guest was paused, and could not answer.
 */
async function refuseThawed(host: ReadHost, name: string, socket: string): Promise<void> {
  if ((await host.run(frozenNow(socket))) === 'frozen') return;
  throw new RefusedError(`the filesystems of ${name} were thawed before the snapshots were complete`, {
    remedy: `run the command again, or do not freeze them: ${option('--no-freeze', 'freeze: false')}`,
  });
}

/** Throws RefusedError if a replicated disk has another size than planned, or its data is no longer that of the guest. */
async function refuseResized(
  host: ReadHost,
  guest: string,
  { resource, size, disk }: NonNullable<SnapshotDisk['replica']>,
): Promise<void> {
  const now = await copyHere(host, { disk, guest });
  if (now.resource === resource && now.size === size) return;
  throw new RefusedError(`the size of the DRBD resource ${resource} was changed meanwhile`, {
    remedy: 'run the command again',
  });
}

/**
 * Throws RefusedError if the guest was started, ended or resumed meanwhile: it may have written between two
 * snapshots.
 */
async function refuseChanged(
  host: ReadHost,
  { name, domain }: Pick<Moment, 'name' | 'domain'>,
  state: Domain['state'] | undefined,
): Promise<void> {
  const [now] = await domains(host, (each) => each.name === name);
  if (now?.uuid === domain?.uuid && now?.id === domain?.id && now?.state === state) return;
  throw new RefusedError(
    `${now?.state === state ? `${name} was started again` : `${name} was ${state ?? 'off'} and is ${now?.state ?? 'off'} now`}: the snapshots of its disks may be from different moments`,
    { remedy: 'run the command again' },
  );
}
