import { posix } from 'node:path';
import * as z from 'zod/mini';
import { inShell, type ReadHost, refuseExposed } from '../command/index.ts';
import { BofhError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Bytes } from '../core/units.ts';
import { sha256 } from '../file/index.ts';
import { checkLvName, checkVgName, type LogicalVolume, lvs, otherThinSnapshots } from '../lvm/index.ts';
import { realPath } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { refuseUsedMac } from './checks.ts';
import {
  type GuestConfig,
  guestConfig,
  guestsWithDisk,
  offRemedy,
  parseConfig,
  stateWords,
} from '../xen/index.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import { configOf } from './backup.ts';
import { type Moment, planMoment, takeSnapshots } from './moment.ts';
import { checkGuestName } from './names.ts';
import { volumeOf } from './remove.ts';
import { pathsOf } from './rename.ts';
import { directory, snapshotFiles } from './snapshot-files.ts';

const text = z.string().check(z.minLength(1), z.maxLength(255));

const bodySchema = z.strictObject({
  format: z.literal(1),
  guest: text,
  label: text,
  /** ISO 8601. */
  time: z.iso.datetime(),
  state: z.enum(['running', 'paused', 'off']),
  /** Whether its filesystems were frozen. Missing: written by a bofh that could not freeze them. */
  frozen: z.exactOptional(z.boolean()),
  config: z.strictObject({ mode: z.int().check(z.minimum(0), z.maximum(0o777)), content: z.string() }),
  disks: z
    .array(
      z.strictObject({
        vdev: text,
        vg: text,
        volume: text,
        uuid: text,
        snapshot: text,
        snapshotUuid: text,
      }),
    )
    .check(z.minLength(1)),
});

type Body = z.infer<typeof bodySchema>;

/** A snapshot of a guest: of all its disks and its configuration. */
export interface GuestSnapshot extends Omit<Body, 'format'> {
  /** Absolute path of its file. */
  readonly path: string;
  /** SHA-256 of that file. */
  readonly sha256: string;
}

/** The snapshots of guests. */
export interface GuestSnapshots {
  /** Ordered by guest, the oldest first. */
  readonly snapshots: readonly (GuestSnapshot & {
    /** Why it cannot be restored; undefined if it can. */
    readonly why: string | undefined;
  })[];
  /** Files that cannot be read, each with the reason. */
  readonly problems: readonly { readonly path: string; readonly why: string }[];
}

/** Throws unless the label can be part of the name of a file and of a volume. */
export function checkLabel(label: string): void {
  if (label === 'backup' || label === 'provision')
    throw new UsageError(
      `"${label}" cannot be the name of a snapshot: vm ${label} uses this name for its own snapshots`,
      { remedy: 'choose another name' },
    );
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/.test(label)) return;
  throw new UsageError(
    `${JSON.stringify(label)} cannot be the name of a snapshot: up to 40 letters, digits, "_", "." and "-", beginning with a letter or digit`,
  );
}

function pathOf(guest: string, label: string): string {
  return posix.join(directory, `${guest}@${label}.json`);
}

/** The plan of a snapshot of a guest. */
export interface SnapshotPlan extends Moment {
  readonly label: string;
  readonly path: string;
  readonly time: string;
  readonly config: Body['config'];
}

/** Makes all checks before anything is done. */
export async function planSnapshot(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly label: string;
  /** Space for changes of each disk (default: a fifth of the disk); thin volumes need none. */
  readonly size?: Bytes | undefined;
  /** Freeze the filesystems of a running guest with a guest agent (default: true). */
  readonly freeze?: boolean;
  readonly now: Date;
}): Promise<SnapshotPlan> {
  const { host, site, name, label, freeze, now } = options;
  checkGuestName(name);
  checkLabel(label);
  const path = pathOf(name, label);
  if ((await host.stat(path)) !== undefined)
    throw new RefusedError(`there is a snapshot ${label} of ${name} already (${path})`, {
      code: 'exists',
      remedy: `choose another name, or: bofh vm snapshot remove ${name} ${label}`,
    });
  const of = { site, name, suffix: label, use: 'snapshots', freeze };
  const room = { snapshotSize: options.size, sizeOption: option('--size', 'size') };
  const moment = await planMoment(host, { ...of, ...room });
  return {
    ...moment,
    ...{ label, path, time: now.toISOString() },
    config: await configOf(host, moment.guest),
  };
}

/** Creates the snapshots of the volumes, and then the file that makes them a snapshot of the guest. */
export async function snapshotVm(tx: Tx, host: ReadHost, plan: SnapshotPlan): Promise<GuestSnapshot> {
  const { name, label, path, time, config, domain, frozen } = plan;
  const made = await takeSnapshots(tx, host, { ...plan, lasting: true });
  const body: Body = {
    ...{ format: 1, guest: name, label, time, config },
    state: domain === undefined ? 'off' : domain.state === 'paused' ? 'paused' : 'running',
    frozen,
    disks: made.map(({ disk: { vdev, vg, volume, uuid, snapshot }, uuid: snapshotUuid }) => ({
      ...{ vdev, vg, volume, uuid, snapshot, snapshotUuid },
    })),
  };
  // Only inside the sequence: the journal of the first sequence on this host creates the directory above.
  for (const each of [posix.dirname(directory), directory])
    if ((await host.stat(each)) === undefined) await tx.file.createDirectory({ path: each, mode: 0o700 });
  const content = `${JSON.stringify(body, undefined, 1)}\n`;
  await tx.file.create({ path, content, mode: 0o600 });
  const { format: _, ...rest } = body;
  return { ...rest, path, sha256: sha256(Buffer.from(content)) };
}

/** Lists the snapshots of guests. `name`: only of this guest. */
export async function snapshotsIn(host: ReadHost, name?: string): Promise<GuestSnapshots> {
  const snapshots: GuestSnapshots['snapshots'][number][] = [];
  const problems: GuestSnapshots['problems'][number][] = [];
  const known = await lvs(host);
  for (const file of await snapshotFiles(host)) {
    const path = posix.join(directory, file);
    if (!file.endsWith('.json') || (name !== undefined && !file.startsWith(`${name}@`))) continue;
    try {
      const found = await readSnapshot(host, path);
      snapshots.push({ ...found, why: whyLost(found, known) });
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      problems.push({ path, why: error.message });
    }
  }
  const order = ({ guest, time }: GuestSnapshot): string => `${guest} ${time}`;
  return { snapshots: snapshots.sort((a, b) => (order(a) < order(b) ? -1 : 1)), problems };
}

/** Reads the file of a snapshot. Throws RefusedError if other users can write it, or if it is not such a file. */
async function readSnapshot(host: ReadHost, path: string): Promise<GuestSnapshot> {
  await refuseExposed(host, path, 'there');
  const bytes = await host.readFile(path);
  let given: unknown;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw unreadable(path, error instanceof Error ? error.message : String(error), error);
  }
  const result = bodySchema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw unreadable(path, [...(issue?.path ?? []).map(String), issue?.message].join(': '));
  }
  const { format: _, ...body } = result.data;
  checkGuestName(body.guest);
  checkLabel(body.label);
  if (path !== pathOf(body.guest, body.label))
    throw unreadable(path, `it describes the snapshot ${body.label} of ${body.guest}`);
  for (const { vg, volume, snapshot } of body.disks) {
    checkVgName(vg);
    checkLvName(vg, volume);
    checkLvName(vg, snapshot);
  }
  return { ...body, path, sha256: sha256(bytes) };
}

function unreadable(path: string, why: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} does not describe a snapshot of a guest: ${why}`, {
    cause,
    remedy: `look at it: cat ${inShell(path)}`,
  });
}

/** Why a snapshot cannot be restored: a volume is missing, or its space for changes was full. */
function whyLost({ disks }: GuestSnapshot, known: readonly LogicalVolume[]): string | undefined {
  for (const { vg, volume, uuid, snapshot, snapshotUuid } of disks) {
    const [origin, of] = [uuid, snapshotUuid].map((each) => known.find((lv) => lv.uuid === each));
    if (origin === undefined) return `the volume ${vg}/${volume} no longer exists`;
    if (of === undefined) return `the volume ${vg}/${snapshot} no longer exists`;
    if (of.origin?.uuid !== uuid) return `${of.fullName} is not a snapshot of ${origin.fullName} any more`;
    if (of.pool === undefined && of.data === 100) return `${of.fullName} is invalid, because it was full`;
  }
  return undefined;
}

/** The snapshot with a label. Throws RefusedError with the code `not-found` if there is none. */
export async function findSnapshot(host: ReadHost, name: string, label: string): Promise<GuestSnapshot> {
  checkGuestName(name);
  checkLabel(label);
  const path = pathOf(name, label);
  if ((await host.stat(path)) !== undefined) return readSnapshot(host, path);
  throw new RefusedError(`there is no snapshot ${label} of ${name}`, {
    code: 'not-found',
    remedy: `see all of them: bofh vm snapshot list ${name}`,
  });
}

/** The plan to restore a guest to a snapshot. */
export interface SnapshotRestorePlan extends GuestSnapshot {
  /** The config file and its new content; `content` is undefined if the file does not change. */
  readonly file: { readonly path: string; readonly sha256: string; readonly content?: string };
  /** The snapshots of its volumes by their current names, also after a rename. */
  readonly merges: readonly { readonly vg: string; readonly name: string; readonly uuid: string }[];
  /** Disks that the guest got after the snapshot: they will not be in its configuration. */
  readonly later: readonly string[];
  /**
   * Other thin snapshots of its volumes, as `VG/LV`, also those of other snapshots of the guest: they stay, but
   * have no origin afterwards, and cannot be restored.
   */
  readonly detached: readonly string[];
}

/** The other thin snapshots, as `VG/LV`, that have no origin any more when a snapshot is restored. */
export async function detachedBy(
  host: ReadHost,
  { disks }: Pick<GuestSnapshot, 'disks'>,
): Promise<readonly string[]> {
  const known = await lvs(host);
  return disks.flatMap(({ snapshotUuid }) => {
    const lv = known.find(({ uuid }) => uuid === snapshotUuid);
    return lv === undefined ? [] : otherThinSnapshots(lv, known).map(({ fullName }) => fullName);
  });
}

/** Makes all checks before anything is done. Throws RefusedError if the guest is not off. */
export async function planSnapshotRestore(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly label: string;
}): Promise<SnapshotRestorePlan> {
  const { host, site, name, label } = options;
  const found = await findSnapshot(host, name, label);
  const { guest, guests } = await guestIn(host, { name, site });
  const domain = await domainOfGuest(host, guest);
  if (domain !== undefined)
    throw new RefusedError(
      `${name} exists as domain ${domain.id} (${stateWords[domain.state]}): its disks can be restored only while it is off`,
      {
        code: 'in-use',
        remedy: offRemedy(domain, name),
      },
    );
  const known = await lvs(host);
  const why = whyLost(found, known);
  if (why !== undefined)
    throw new RefusedError(`the snapshot ${label} of ${name} cannot be restored: ${why}`, {
      remedy: `see the others: bofh vm snapshot list ${name}; remove what is left of this one: bofh vm snapshot remove ${name} ${label}`,
    });
  const old = guestConfig(parseConfig({ text: found.config.content, file: `${found.path} (config)` }));
  await refuseOtherVolumes(host, { name, old, found, known });
  const uuids = found.disks.flatMap(({ uuid, snapshotUuid }) => [uuid, snapshotUuid]);
  const volumes = known.filter(({ uuid }) => uuids.includes(uuid));
  await refuseOtherGuests(host, { site, volumes, own: guest.file });
  const others = guests.filter(({ file }) => file !== guest.file);
  // An address that this guest already shares is not the fault of the restore.
  for (const { mac } of old.vifs)
    if (mac !== undefined && !guest.vifs.some((vif) => vif.mac === mac)) refuseUsedMac(others, mac, true);
  const later: string[] = [];
  for (const { path, devtype } of guest.disks) {
    if (devtype === 'cdrom') continue;
    const lv = path === undefined ? undefined : await volumeOf(host, known, path);
    if (path !== undefined && !found.disks.some(({ uuid }) => uuid === lv?.uuid)) later.push(path);
  }
  const now = await configOf(host, guest);
  const isSame = now.content === found.config.content;
  return {
    ...found,
    file: {
      ...{ path: await realPath(host, guest.file), sha256: sha256(Buffer.from(now.content)) },
      ...(isSame ? {} : { content: found.config.content }),
    },
    merges: found.disks.flatMap(({ snapshotUuid }) =>
      known.flatMap(({ vg, name: lv, uuid }) => (uuid === snapshotUuid ? [{ vg, name: lv, uuid }] : [])),
    ),
    later,
    detached: await detachedBy(host, found),
  };
}

/** Throws RefusedError if a path in the configuration of a snapshot leads to another volume than then. */
async function refuseOtherVolumes(
  host: ReadHost,
  of: {
    readonly name: string;
    readonly old: GuestConfig;
    readonly found: GuestSnapshot;
    readonly known: readonly LogicalVolume[];
  },
): Promise<void> {
  const { name, old, found, known } = of;
  for (const { vdev, uuid, vg, volume } of found.disks) {
    const path = old.disks.find((disk) => disk.vdev === vdev)?.path;
    const lv = path === undefined ? undefined : await volumeOf(host, known, path);
    const now = known.find((each) => each.uuid === uuid);
    if (path === undefined || now === undefined)
      throw unreadable(found.path, `its configuration has no disk ${vdev} on this host`);
    // An inactive volume has no link in /dev/disk.
    if (lv?.uuid === uuid || (lv === undefined && path.startsWith('/dev/disk/'))) continue;
    const other = known.find((each) => each.vg === vg && each.name === volume && each.uuid !== uuid);
    const back =
      now.vg === vg ? `bofh lvm rename ${now.fullName} ${volume}` : `bofh lvm vg rename ${now.vg} ${vg}`;
    throw new RefusedError(
      `in the snapshot ${found.label} of ${name}, ${vdev} is ${path}, and that volume is ${now.fullName} now`,
      {
        code: 'differs',
        remedy: `give it back its name: ${other === undefined ? '' : `bofh lvm rename ${other.fullName} NAME; then: `}${back}`,
      },
    );
  }
}

/** Throws RefusedError if one of these volumes is a disk of a guest, which would lose its data. */
async function refuseOtherGuests(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly volumes: readonly LogicalVolume[];
    /** The configuration that does not count. */
    readonly own?: string;
  },
): Promise<void> {
  for (const lv of of.volumes) {
    const all = await guestsWithDisk(host, of.site.guestConfigDirs, pathsOf(lv, lv.name));
    const other = all.find(({ file }) => file !== of.own);
    if (other !== undefined)
      throw new RefusedError(
        `${lv.fullName} is a disk of ${other.guest === other.file ? '' : `the guest ${other.guest}, in `}${other.file}, which would lose its data`,
        { code: 'in-use', remedy: 'remove it from that configuration first: bofh vm disk detach GUEST DISK' },
      );
  }
}

/**
 * Restores a guest: after the commit the snapshots are merged into the volumes, which removes the snapshots. An interrupted
 * merge is resumed.
 */
export async function restoreSnapshot(tx: Tx, plan: SnapshotRestorePlan): Promise<void> {
  const { file, merges, path, sha256: seen } = plan;
  const { content } = file;
  if (content !== undefined) await tx.file.change({ path: file.path, content, sha256: file.sha256 });
  for (const snapshot of merges) await tx.lvm.mergeSnapshot(snapshot);
  await tx.file.remove({ path, sha256: seen });
}

/** The plan to remove a snapshot. */
export interface SnapshotRemovalPlan extends GuestSnapshot {
  /** The volumes that still exist, by their current names. */
  readonly volumes: readonly { readonly vg: string; readonly name: string; readonly uuid: string }[];
  /** Volumes, as `VG/LV`, that are not snapshots of the guest's disks any more: they stay. */
  readonly kept: readonly string[];
}

/** Finds the volumes of a snapshot that still exist. */
export async function planSnapshotRemoval(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly label: string;
}): Promise<SnapshotRemovalPlan> {
  const { host, site, name, label } = options;
  const found = await findSnapshot(host, name, label);
  const known = await lvs(host);
  const volumes: { vg: string; name: string; uuid: string }[] = [];
  const kept: string[] = [];
  for (const { uuid: of, snapshotUuid } of found.disks) {
    const lv = known.find(({ uuid }) => uuid === snapshotUuid);
    if (lv === undefined) continue;
    if (lv.origin?.uuid === of) volumes.push({ vg: lv.vg, name: lv.name, uuid: lv.uuid });
    // A thin snapshot outlives its origin, and is then the only one with this data.
    else kept.push(`${lv.vg}/${lv.name}`);
  }
  const removed = known.filter(({ uuid }) => volumes.some((each) => each.uuid === uuid));
  await refuseOtherGuests(host, { site, volumes: removed });
  return { ...found, volumes, kept };
}

/** Removes a snapshot; the guest does not change. */
export async function removeSnapshot(tx: Tx, plan: SnapshotRemovalPlan): Promise<void> {
  for (const volume of plan.volumes) await tx.lvm.removeLv(volume);
  await tx.file.remove({ path: plan.path, sha256: plan.sha256 });
}
