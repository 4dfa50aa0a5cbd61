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

/** Does udevd answer lvm here? libudev asks the same question (`/run/udev/control`). */
export async function udevOf(host: ReadHost): Promise<Udev> {
  return { udev: (await host.stat('/run/udev/control')) === undefined ? 'absent' : 'running' };
}

/** A volume group that can be changed, by its name. RefusedError when it cannot be, or when two have the name. */
export async function usableVg(host: ReadHost, name: string): Promise<WholeGroup> {
  const all = await reported(host, fullreport());
  const [vg, ...more] = all.filter((one) => one.name === name);
  if (vg === undefined) {
    const there = all.map((one) => one.name).join(', ');
    throw new RefusedError(`there is no volume group "${name}"`, {
      remedy: there === '' ? 'there is none: bofh lvm vg create makes one' : `there are: ${there}`,
    });
  }
  if (more.length > 0)
    throw new RefusedError(`${more.length + 1} volume groups have the name "${name}"`, {
      remedy: 'rename one by its uuid: vgs -o vg_name,vg_uuid; vgrename UUID NEW_NAME',
    });
  const why = [
    vg.exported ? 'exported (vgimport)' : '',
    vg.partial ? 'not complete: a device of it is missing' : '',
    vg.writable ? '' : 'read-only',
  ].find((word) => word !== '');
  if (why !== undefined)
    throw new RefusedError(`the volume group "${name}" is ${why}`, {
      remedy: `look at it: vgs -o +vg_attr ${name}; pvs`,
    });
  return vg;
}

/**
 * The logical volumes of the volume group with this uuid, whatever both are called by now; undefined when there is no
 * such group. RefusedError while it is exported: it is on its way to another host, and nothing in it can be looked at.
 */
export async function volumesOf(
  host: ReadHost,
  vgUuid: string,
): Promise<readonly LogicalVolume[] | undefined> {
  const vg = (await reported(host, fullreport())).find(({ uuid }) => uuid === vgUuid);
  if (vg?.exported !== true) return vg?.volumes;
  throw new RefusedError(`the volume group "${vg.name}" is exported: what is in it cannot be told`, {
    remedy: `vgimport ${vg.name}`,
  });
}

/**
 * RefusedError when such a volume is in another group by now: vgsplit and vgmerge move it with its uuid and tags. Without this look
 * it would seem to be gone.
 */
export async function refuseMoved(host: ReadHost, fits: (lv: LogicalVolume) => boolean): Promise<void> {
  const moved = (await reported(host, fullreport())).flatMap(({ volumes }) => volumes).find(fits);
  if (moved === undefined) return;
  throw new RefusedError(
    `the volume is in another volume group by now: ${moved.fullName} (uuid ${moved.uuid})`,
    {
      remedy: `move it back (vgsplit, vgmerge), then bofh recover; or look at it (lvs -o +lv_uuid,lv_tags ${moved.fullName}) and abandon the journal`,
    },
  );
}

/**
 * What would be lost with a volume: its snapshots, and what lies on it when it is a pool or an external origin. Thin
 * snapshots of a thin volume stand on their own.
 */
export function dependents(lv: LogicalVolume, all: readonly LogicalVolume[]): readonly LogicalVolume[] {
  return all.filter((other) => {
    if (other.pool?.uuid === lv.uuid) return true;
    if (other.origin?.uuid !== lv.uuid) return false;
    return !(lv.layout.includes('thin') && other.pool?.uuid === lv.pool?.uuid);
  });
}

/** A volume among all of its group. */
export interface VolumeAmong {
  readonly lv: LogicalVolume;
  readonly all: readonly LogicalVolume[];
}

/** The same as holders of the volume. */
export function dependentHolders({ lv, all }: VolumeAmong): readonly Holder[] {
  return dependents(lv, all).map(({ fullName }) => ({
    kind: 'volume',
    volume: fullName,
    words: `origin or pool of ${fullName}`,
    free: ['lvremove', fullName],
  }));
}

/** Who uses a volume, as far as that can be seen at a glance. */
export async function holdersOf(host: ReadHost, of: VolumeAmong): Promise<readonly Holder[]> {
  const { lv } = of;
  const known = lv.active === false ? [] : await deviceHolders(host, lv.dmPath);
  return [...dependentHolders(of), ...(lv.open === true && known.length === 0 ? [opened(lv)] : known)];
}

/** Everybody who uses a volume, for when it could not be taken away. */
export async function everyHolderOf(host: ReadHost, of: VolumeAmong): Promise<readonly Holder[]> {
  const { lv } = of;
  const found = lv.active === false ? [] : await everyHolder(host, lv.dmPath);
  const nobody = lv.open === true && found.every(({ kind }) => kind === 'unknown');
  return [...dependentHolders(of), ...found, ...(nobody ? [opened(lv)] : [])];
}

/** The refusal of a volume that somebody has. */
export function inUse({ fullName }: LogicalVolume, holders: readonly Holder[]): RefusedError {
  return new RefusedError(`${fullName} is in use: ${inWords(holders)}`, {
    remedy: remedyFor(holders),
    holders,
  });
}

/** RefusedError when lvm cannot tell whether a volume is active: then nobody can tell who has it. */
export function refuseUntold({ active, fullName }: LogicalVolume): void {
  if (active === 'unknown')
    throw new RefusedError(`lvm cannot tell whether ${fullName} is active`, {
      remedy: `look at it: lvs -o +lv_active ${fullName}; dmsetup info`,
    });
}

function opened({ dmPath }: LogicalVolume): Holder {
  return { kind: 'unknown', words: `open (fuser -v ${dmPath})` };
}

/**
 * Takes a volume out of the kernel, which refuses one that is open: then the error names everybody who has it. lvm
 * itself tries 25 times in 5 s while it is merely open (activation/retry_deactivation, 2.03.16).
 */
export async function deactivateOrTell(host: ChangeHost, of: VolumeAmong): Promise<void> {
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
 * Removes a volume that has no dependents, by its uuid, and by a tag as well where one is said: out of the kernel first, but
 * for a classic snapshot, which lvm deactivates together with its origin only. Who has it is named.
 */
export async function removeOrTell(host: ChangeHost, of: VolumeAmong, tag?: string): Promise<void> {
  const { vg, name, uuid } = of.lv;
  const meant = { vg, name, uuid, ...(tag === undefined ? {} : { tag }), ...(await udevOf(host)) };
  if (!isClassicSnapshot(of.lv)) {
    await deactivateOrTell(host, of);
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

/** Makes the metadata of a volume group durable: lvm writes past the page cache, but not past the disks' own. */
export async function syncGroup(host: ChangeHost, vgUuid: string): Promise<void> {
  await syncMembers(
    host,
    (await reported(host, pvs())).filter(({ vg }) => vg?.uuid === vgUuid),
  );
}

/** The same of these physical volumes, and of lvm's own backup of the group that they are in. */
export async function syncMembers(host: ChangeHost, members: readonly PhysicalVolume[]): Promise<void> {
  for (const { path } of members) if (path !== undefined) await host.sync(path);
  for (const name of new Set(members.flatMap(({ vg }) => vg?.name ?? []))) await syncBackup(host, name);
}
