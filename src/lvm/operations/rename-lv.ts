import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { everyHolder, holders } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError, UsageError } from '../../core/errors.ts';
import { renamedRecovery } from '../manual-recovery.ts';
import { checkLvName, checkVgName } from '../names.ts';
import { inUse, refuseUnknownActivation, syncGroup, usableVg, type VolumeAmong } from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, known, knownVolume, rename, volumeNamed } from './known-volume.ts';
import { deviceOf, refuseTaken } from './refuse-taken.ts';
import { present } from '../../core/present.ts';

const args = z.extend(askedVolume, {
  /** The new name in the same group. RefusedError `exists` if it is taken. */
  to: z.string(),
});

const undo = z.extend(knownVolume, { to: z.string() });

type Undo = z.infer<typeof undo>;

/**
 * Renames a logical volume to a free name. Refuses a volume in use, for undo too: lvm would rename
 * it, and its users would keep a path that no longer exists. Its snapshots do not matter.
 */
export const renameLv = operation({
  kind: 'lvm.lv.rename',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { vg: group, name, to, uuid }, host }) => {
    checkVgName(group);
    checkLvName(group, to);
    if (to === name) throw new UsageError(`${group}/${name} already has that name`);
    const vg = await usableVg(host, group);
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    refusePart(lv);
    await refuseUsed(host, lv);
    await refuseTaken(host, vg, { name: to, own: lv });
    return { vg: group, vgUuid: vg.uuid, lvUuid: lv.uuid, name, to };
  },
  claims: async ({ undo: { vg, name, to }, on }) => {
    const old = `lv:${vg}/${name}`;
    // `prepare` has checked that an active volume has a device, when it asked the kernel for
    // holders.
    const device = await deviceKeys(on, `/dev/${vg}/${name}`);
    return {
      makes: [`lv:${vg}/${to}`],
      changes: [...new Set([old, ...(device === undefined ? [] : [device.key])])],
      needs: [...new Set([`vg:${vg}`, ...(device?.beneath ?? [])])],
    };
  },
  run: async ({ undo: of, host }) => {
    const found = await known(host, of);
    if (found.lv.name !== of.name)
      throw new RefusedError(
        `${of.vg}/${of.name} (uuid ${of.lvUuid}) was renamed to ${found.lv.fullName} concurrently; nothing was done`,
        { remedy: 'see its state now: bofh lvm list; then run the command again' },
      );
    await change(host, of, { found, to: of.to });
    return null;
  },
  value: ({ undo: { vg, to, lvUuid } }) => ({ vg, name: to, path: `/dev/${vg}/${to}`, uuid: lvUuid }),
  look: async ({ undo: of, host }) => {
    const lv = (await findKnown(host, of))?.lv;
    if (lv === undefined || lv.name === of.name) return { state: 'gone' };
    if (lv.name !== of.to)
      return { state: 'not-ours', found: `it was renamed to ${lv.fullName} (uuid ${lv.uuid})` };
    // Its group may have been renamed.
    const moved = lv.vg === of.vg ? {} : { movedTo: `lv:${lv.fullName}` };
    return { state: 'ours', holders: await usersOf(host, lv), ...moved };
  },
  revert: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found?.lv.name === of.to) await change(host, of, { found, to: of.name });
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: renamedRecovery,
});

/**
 * Renames the volume, forward or back; errors name the holder of the volume, or of the new name.
 */
async function change(
  host: ChangeHost,
  of: Undo,
  { found: { lv, all }, to }: { readonly found: VolumeAmong; readonly to: string },
): Promise<void> {
  await refuseUsed(host, lv);
  await refuseTaken(host, { name: lv.vg, uuid: of.vgUuid, volumes: all }, { name: to, own: lv });
  await rename(host, of, to);
}

function refusePart(lv: LogicalVolume): void {
  if (!lv.role.includes('private')) return;
  throw new RefusedError(
    `${lv.fullName} is part of another volume, or a pool (${lv.layout.join(', ')}): bofh renames neither`,
    {
      remedy: 'a part takes its name from the volume that it belongs to: rename that one; to see it: lvs -a',
    },
  );
}

// lvrename 2.03.16 renames a volume in use with exit code 0, and all holders keep the device. But a
// guest that reboots is started again from its old path and fails; `umount` does not know the new
// path; and systemd unmounts what /etc/fstab names by a path that disappears (systemd issue 29543).
// A process that has only opened the device loses nothing, and udev opens it after every mkfs.
async function refuseUsed(host: ReadHost, lv: LogicalVolume): Promise<void> {
  refuseUnknownActivation(lv);
  const users = await usersOf(host, lv);
  if (users.length > 0) throw inUse(lv, await everyHolder(host, await deviceOf(host, lv)));
}

async function usersOf(host: ReadHost, lv: LogicalVolume): Promise<readonly Holder[]> {
  return lv.active === false ? [] : await holders(host, await deviceOf(host, lv));
}
