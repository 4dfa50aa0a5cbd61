import { holders as deviceHolders } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../errors.ts';
import { deactivate, lvs, pvs, type Udev, vgs } from './commands.ts';
import type { LogicalVolume, VolumeGroup } from './schema.ts';

/** Does udevd answer lvm here? libudev asks the same question (`/run/udev/control`). */
export async function udevOf(host: ReadHost): Promise<Udev> {
  return { udev: (await host.stat('/run/udev/control')) === undefined ? 'absent' : 'running' };
}

/** A volume group that can be changed, by its name. RefusedError when it cannot be, or when two have the name. */
export async function usableVg(host: ReadHost, name: string): Promise<VolumeGroup> {
  const all = await host.run(vgs());
  const [vg, ...more] = all.filter((one) => one.name === name);
  if (vg === undefined) {
    const there = all.map((one) => one.name).join(', ') || 'none';
    throw new RefusedError(`there is no volume group "${name}"`, { remedy: `there are: ${there}` });
  }
  if (more.length > 0) throw new RefusedError(`${more.length + 1} volume groups have the name "${name}"`);
  const why = [
    vg.exported ? 'exported (vgimport)' : '',
    vg.partial ? 'not complete: a device of it is missing' : '',
    vg.writable ? '' : 'read-only',
  ].find((word) => word !== '');
  if (why !== undefined) throw new RefusedError(`the volume group "${name}" is ${why}`);
  return vg;
}

/**
 * The logical volumes of the volume group with this uuid, whatever both are called by now; undefined when there is no
 * such group. RefusedError while lvm does not show what is in it: lvs leaves out the volumes of an exported one
 * (2.03.16), which does not mean that they are gone.
 */
export async function volumesOf(
  host: ReadHost,
  vgUuid: string,
): Promise<readonly LogicalVolume[] | undefined> {
  const volumes = (await host.run(lvs())).filter((lv) => lv.vgUuid === vgUuid);
  if (volumes.length > 0) return volumes;
  const vg = (await host.run(vgs())).find(({ uuid }) => uuid === vgUuid);
  if (vg?.exported !== true) return vg === undefined ? undefined : [];
  throw new RefusedError(`the volume group "${vg.name}" is exported: what is in it cannot be told`);
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

/** Who uses a volume, in words. */
export async function holdersOf(
  host: ReadHost,
  { lv, all }: { readonly lv: LogicalVolume; readonly all: readonly LogicalVolume[] },
): Promise<readonly string[]> {
  const above = dependents(lv, all).map(({ fullName }) => `origin or pool of ${fullName}`);
  const known = lv.active === false ? [] : await deviceHolders(host, lv.dmPath);
  if (lv.open === true && known.length === 0) return [...above, `open (fuser -v ${lv.dmPath})`];
  return [...above, ...known];
}

/** Takes a volume out of the kernel, which refuses one that is open: then the error names who has it. */
export async function deactivateOrTell(
  host: ChangeHost,
  of: { readonly lv: LogicalVolume; readonly all: readonly LogicalVolume[] },
): Promise<void> {
  if (of.lv.active === false) return;
  const { vg, name, uuid } = of.lv;
  try {
    await host.run(deactivate({ vg, name, uuid, ...(await udevOf(host)) }));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    const who = (await holdersOf(host, of)).join('; ') || 'it is open';
    const { tool, argv, exitCode, stdout, stderr } = error;
    const what = `${vg}/${name} is in use: ${who}`;
    throw new CommandError({ tool, argv, reason: 'busy', exitCode, stdout, stderr, what, cause: error });
  }
}

/** Makes the metadata of a volume group durable: lvm writes past the page cache, but not past the disks' own. */
export async function syncGroup(host: ChangeHost, vgUuid: string): Promise<void> {
  for (const pv of await host.run(pvs())) {
    if (pv.vg?.uuid === vgUuid && pv.path !== undefined) await host.sync(pv.path);
  }
}
