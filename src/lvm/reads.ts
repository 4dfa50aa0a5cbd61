import { busyWith, everyHolder, holders as deviceHolders, inWords, remedyFor } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../core/errors.ts';
import type { Udev } from './commands.ts';
import { deactivate, lvremove } from './lv-commands.ts';
import { fullreport, pvs } from './report-commands.ts';
import { reported } from './unreadable.ts';
import { removeSnapshot } from './snapshot-commands.ts';
import { isClassicSnapshot } from './filling.ts';
import type { LogicalVolume, PhysicalVolume, WholeGroup } from './objects.ts';
import { syncBackup } from './backup-files.ts';
import { present } from '../core/present.ts';

/** Whether udevd is running. Checks `/run/udev/control`, as libudev does. */
export async function udevOf(host: ReadHost): Promise<Udev> {
  return { udev: (await host.stat('/run/udev/control')) === undefined ? 'absent' : 'running' };
}

/**
 * Returns a volume group that can be changed, by name. RefusedError if it cannot, or if two groups
 * have the name.
 */
export async function usableVg(host: ReadHost, name: string): Promise<WholeGroup> {
  const all = await reported(host, fullreport());
  const [vg, ...more] = all.filter((one) => one.name === name);
  if (vg === undefined) {
    const there = all.map((one) => one.name).join(', ');
    throw new RefusedError(`there is no volume group "${name}"`, {
      code: 'not-found',
      remedy:
        there === ''
          ? `there is no group at all; to create it: bofh lvm vg create ${name} DEVICE`
          : `use one of these: ${there}`,
    });
  }
  if (more.length > 0)
    throw new RefusedError(`${more.length + 1} volume groups have the name "${name}"`, {
      remedy: 'rename one by its uuid: vgs -o vg_name,vg_uuid; vgrename UUID NEW_NAME',
    });
  const why = [
    vg.exported ? 'exported (vgimport)' : '',
    vg.partial ? 'incomplete, because one of its devices is missing' : '',
    vg.writable ? '' : 'read-only',
  ].find((word) => word !== '');
  if (why !== undefined)
    throw new RefusedError(`the volume group "${name}" is ${why}`, {
      remedy: `look at it: vgs -o +vg_attr ${name}; pvs`,
    });
  return vg;
}

/**
 * Returns the logical volumes of the volume group with this uuid, whatever its name is now;
 * undefined if the group does not exist. RefusedError while it is exported: it is moving to another
 * host, and nothing in it can be checked.
 */
export async function volumesOf(
  host: ReadHost,
  vgUuid: string,
): Promise<readonly LogicalVolume[] | undefined> {
  const vg = (await reported(host, fullreport())).find(({ uuid }) => uuid === vgUuid);
  if (vg?.exported !== true) return vg?.volumes;
  throw new RefusedError(`the volume group "${vg.name}" is exported, so bofh cannot read its volumes`, {
    remedy: `vgimport ${vg.name}`,
  });
}

/**
 * RefusedError if a volume that `fits` accepts is now in another group. vgsplit and vgmerge move a
 * volume with its uuid and tags; without this check bofh would consider it removed.
 */
export async function refuseMoved(host: ReadHost, fits: (lv: LogicalVolume) => boolean): Promise<void> {
  const moved = (await reported(host, fullreport())).flatMap(({ volumes }) => volumes).find(fits);
  if (moved === undefined) return;
  throw new RefusedError(
    `the volume is in another volume group now: ${moved.fullName} (uuid ${moved.uuid})`,
    {
      remedy: `move it back with vgsplit or vgmerge; then: bofh recover; or look at it: lvs -o +lv_uuid,lv_tags ${moved.fullName}; then close the journal: bofh recover --abandon ID --because "…"`,
    },
  );
}

/**
 * Returns what is lost if this volume is removed: its snapshots, and the volumes in a pool or on an
 * external origin. Thin snapshots of a thin volume are independent of it.
 */
export function dependents(lv: LogicalVolume, all: readonly LogicalVolume[]): readonly LogicalVolume[] {
  return all.filter((other) => {
    if (other.pool?.uuid === lv.uuid) return true;
    if (other.origin?.uuid !== lv.uuid) return false;
    return !(lv.layout.includes('thin') && other.pool?.uuid === lv.pool?.uuid);
  });
}

/** A volume and all volumes of its group. */
export interface VolumeAmong {
  readonly lv: LogicalVolume;
  readonly all: readonly LogicalVolume[];
}

/** Returns the dependents as holders of the volume. */
export function dependentHolders({ lv, all }: VolumeAmong): readonly Holder[] {
  return dependents(lv, all).map(({ fullName }) => ({
    kind: 'volume',
    volume: fullName,
    words: `origin or pool of ${fullName}`,
    free: ['lvremove', fullName],
  }));
}

/** Returns the holders of a volume that a quick check finds. */
export async function holdersOf(host: ReadHost, of: VolumeAmong): Promise<readonly Holder[]> {
  const { lv } = of;
  const known = lv.active === false ? [] : await deviceHolders(host, lv.dmPath);
  return [...dependentHolders(of), ...(lv.open === true && known.length === 0 ? [opened(lv)] : known)];
}

/** Returns all holders of a volume, for the error when it cannot be deactivated. */
export async function everyHolderOf(host: ReadHost, of: VolumeAmong): Promise<readonly Holder[]> {
  const { lv } = of;
  const found = lv.active === false ? [] : await everyHolder(host, lv.dmPath);
  const isUnknown = lv.open === true && found.every(({ kind }) => kind === 'unknown');
  return [...dependentHolders(of), ...found, ...(isUnknown ? [opened(lv)] : [])];
}

/** The error for a volume in use. */
export function inUse({ fullName }: LogicalVolume, holders: readonly Holder[]): RefusedError {
  return new RefusedError(`${fullName} is in use: ${inWords(holders)}`, {
    remedy: remedyFor(holders),
    holders,
  });
}

/**
 * RefusedError if lvm does not know whether a volume is active, because its holders are then
 * unknown.
 */
export function refuseUnknownActivation({ active, fullName }: LogicalVolume): void {
  if (active === 'unknown')
    throw new RefusedError(`lvm cannot tell whether ${fullName} is active`, {
      remedy: `look at it: lvs -o +lv_active ${fullName}; dmsetup info`,
    });
}

function opened({ dmPath }: LogicalVolume): Holder {
  return { kind: 'unknown', words: `open (fuser -v ${dmPath})` };
}

/**
 * Deactivates a volume. If it is open, the kernel refuses, and the error names all holders. If it
 * is open but not mounted, lvm itself tries 25 times in 5 s (activation/retry_deactivation,
 * 2.03.16).
 */
export async function deactivateNamingHolders(host: ChangeHost, of: VolumeAmong): Promise<void> {
  if (of.lv.active === false) return;
  const { vg, name, uuid } = of.lv;
  try {
    await host.run(deactivate({ vg, name, uuid, ...(await udevOf(host)) }));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    throw busyWith(error, { what: `${vg}/${name}`, holders: await everyHolderOf(host, of) });
  }
}

/**
 * Removes a volume without dependents by its uuid, and also by a tag if given. Deactivates it
 * first, except a classic snapshot, which lvm deactivates only together with its origin. If the
 * volume is in use, the error names its holders.
 */
export async function removeOrNameHolders(host: ChangeHost, of: VolumeAmong, tag?: string): Promise<void> {
  const { vg, name, uuid } = of.lv;
  const meant = { vg, name, uuid, ...present({ tag }), ...(await udevOf(host)) };
  if (!isClassicSnapshot(of.lv)) {
    await deactivateNamingHolders(host, of);
    await host.run(lvremove(meant));
    return;
  }
  try {
    await host.run(removeSnapshot(meant));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    throw busyWith(error, { what: `${vg}/${name}`, holders: await everyHolderOf(host, of) });
  }
}

/**
 * Makes the metadata of a volume group durable: lvm bypasses the page cache, but not the disk
 * cache.
 */
export async function syncGroup(host: ChangeHost, vgUuid: string): Promise<void> {
  await syncMembers(
    host,
    (await reported(host, pvs())).filter(({ vg }) => vg?.uuid === vgUuid),
  );
}

/** Makes the metadata on these physical volumes durable, and lvm's own backup of their group. */
export async function syncMembers(host: ChangeHost, members: readonly PhysicalVolume[]): Promise<void> {
  for (const { path } of members) if (path !== undefined) await host.sync(path);
  for (const name of new Set(members.flatMap(({ vg }) => vg?.name ?? []))) await syncBackup(host, name);
}
