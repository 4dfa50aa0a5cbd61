import * as z from 'zod/mini';
import { type Look, operation, type Way } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost, Command } from '../../command/index.ts';
import { type ManualRecovery, RefusedError, UsageError } from '../../core/errors.ts';
import { pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import { checkVgName } from '../names.ts';
import { removeOrNameHolders, syncGroup, udevOf, usableVg, type VolumeAmong } from '../reads.ts';
import {
  copiesOf,
  isLinear,
  isRaid1,
  partsOf,
  refuseOnlySynced,
  refuseUnconvertible,
  refuseUnsynced,
} from './copies.ts';
import { copyToDrop, placeForCopy } from './copy-places.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, known, knownVolume, volumeNamed } from './known-volume.ts';
import { present } from '../../core/present.ts';
import { change, type Udev } from '../commands.ts';

const args = z.extend(askedVolume, {
  /** `raid1`: two copies. `linear`: one. */
  to: z.enum(['raid1', 'linear']),
  /**
   * The device for the second copy, or the one that loses its copy (default: the first with space;
   * the last copy).
   */
  device: z.exactOptional(z.string().check(z.minLength(1))),
});

const undo = z.extend(knownVolume, {
  to: z.enum(['raid1', 'linear']),
  /** The physical volumes of the copy to add or remove. `device` is only shown. */
  on: z
    .array(z.strictObject({ uuid: z.string(), device: z.string(), identity: z.string() }))
    .check(z.minLength(1)),
});

export type ConvertUndo = z.infer<typeof undo>;

/**
 * Adds a second copy of a linear volume on another device (raid1), or removes one of the two copies
 * of a raid1. The volume may be in use. Undo removes exactly the added copy. A removed copy is
 * lost, so the removal runs after the commit. The kernel syncs a new copy in the background:
 * `waitSynced` waits for that.
 */
export const convertLv = operation({
  kind: 'lvm.lv.convert',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg, name } }) => [`lv:${vg}/${name}`],
  restores: 'state',
  prepare: async ({ args: { vg: group, name, uuid, to, device }, host }) => {
    checkVgName(group);
    const vg = await usableVg(host, group);
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    const of = { lv, all: vg.volumes };
    refuseUnconvertible(of);
    if (to === 'raid1' ? isRaid1(lv) : isLinear(lv))
      throw new UsageError(`${lv.fullName} is ${to} already: there is nothing to do`);
    const on = to === 'raid1' ? await placeForCopy(host, of, device) : await copyToDrop(host, of, device);
    return { vg: group, vgUuid: vg.uuid, lvUuid: lv.uuid, name, to, on };
  },
  claims: async ({ undo: { vg, name, on: pvsOf }, on }) => {
    const own = await deviceKeys(on, `/dev/${vg}/${name}`);
    const changes = [...new Set([`lv:${vg}/${name}`, ...(own === undefined ? [] : [own.key])])];
    const needs = new Set([`vg:${vg}`, ...(own?.beneath ?? [])]);
    for (const { uuid, device } of pvsOf) {
      const { key, beneath } = await on(device);
      for (const each of [`pv:${uuid}`, key, ...beneath]) needs.add(each);
    }
    return { changes, needs: [...needs].filter((key) => !changes.includes(key)) };
  },
  within: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  defers: ({ undo: { to } }) => to === 'linear',
  run: async ({ undo: of, host }) => {
    const now = await known(host, of);
    if (now.lv.name !== of.name || !isLinear(now.lv) || partsOf(now).length > 0)
      throw new RefusedError(
        `${of.vg}/${of.name} (uuid ${of.lvUuid}) is not linear any more; nothing was done`,
        {
          remedy: `see its layout: lvs -a -o +lv_layout,devices ${of.vg}; then run the command again`,
        },
      );
    const devices = await pathsOf(host, of);
    await host.run(addCopy({ vg: now.lv.vg, name: now.lv.name, devices, ...(await udevOf(host)) }));
    return null;
  },
  value: ({ undo: { vg, name, to, on } }) => ({
    path: `/dev/${vg}/${name}`,
    to,
    devices: on.map(({ device }) => device),
  }),
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const now = await findKnown(host, of);
    if (now === undefined) return;
    if (isRaid1(now.lv)) await drop(host, of, now);
    else for (const lv of partsOf(now)) await removeOrNameHolders(host, { lv, all: now.all });
  },
  afterCommit: async ({ undo: of, host }) => {
    const now = await findKnown(host, of);
    if (now === undefined || !isRaid1(now.lv)) return;
    refuseUnsynced(now.lv, 'no copy was removed');
    await drop(host, of, now);
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: ({ undo: of, way }) => convertedRecovery(of, way),
});

async function look(host: ReadHost, of: ConvertUndo): Promise<Look> {
  const now = await findKnown(host, of);
  if (now === undefined) return { state: 'gone' };
  const { lv } = now;
  const moved = lv.vg === of.vg && lv.name === of.name ? {} : { movedTo: `lv:${lv.fullName}` };
  if (isLinear(lv)) {
    // lvconvert was killed after it created the parts of a raid: lvm reserves these names.
    const isTorn = of.to === 'raid1' && partsOf(now).length > 0;
    return isTorn ? { state: 'ours', ...moved } : { state: 'gone' };
  }
  if (isRaid1(lv) && (await ourCopy(host, of, now)) !== undefined) return { state: 'ours', ...moved };
  return {
    state: 'not-ours',
    found: `${lv.fullName} (uuid ${lv.uuid}) is ${lv.layout.join(', ')}, without a copy that is only on ${namesOf(of)}`,
  };
}

/** Returns the copy that is on exactly the devices of the step. */
async function ourCopy(host: ReadHost, { on }: ConvertUndo, of: VolumeAmong) {
  const copies = await copiesOf(host, of);
  const own = new Set(on.map(({ uuid }) => uuid));
  const here = copies.filter(({ pvUuids }) => pvUuids.length > 0 && pvUuids.every((uuid) => own.has(uuid)));
  return copies.length === 2 && here.length === 1 ? here[0] : undefined;
}

async function drop(host: ChangeHost, of: ConvertUndo, now: VolumeAmong): Promise<void> {
  const { lv } = now;
  const own = await ourCopy(host, of, now);
  if (own === undefined)
    throw new RefusedError(
      `none of the copies of ${lv.fullName} is entirely on ${namesOf(of)}: nothing was removed`,
      {
        remedy: `see where the copies are: lvs -a -o +devices ${lv.vg}; man lvmraid`,
      },
    );
  // Checks that the other copy is intact, also during the sync of the new one: lvm would remove the
  // only intact copy without an error.
  if (lv.health !== undefined) refuseUnsynced(lv, 'no copy was removed');
  if (lv.synced !== 100) await refuseOnlySynced(host, now, own);
  const devices = await pathsOf(host, of);
  await host.run(dropCopy({ vg: lv.vg, name: lv.name, devices, ...(await udevOf(host)) }));
  const after = await known(host, of);
  if (isLinear(after.lv)) return;
  throw new RefusedError(`lvconvert reported success, but ${after.lv.fullName} is not linear`, {
    remedy: `look at it: lvs -a -o +devices ${after.lv.vg}; then: bofh recover`,
  });
}

/** Returns the paths as lvm lists them. */
async function pathsOf(host: ReadHost, { on }: ConvertUndo): Promise<readonly string[]> {
  const all = await reported(host, pvs());
  return on.map(({ uuid, device }) => {
    const path = all.find((pv) => pv.uuid === uuid)?.path;
    if (path !== undefined) return path;
    throw new RefusedError(`the physical volume with the uuid ${uuid} (${device}) is missing`, {
      remedy: 'attach its device; then run the command again; or, if it was interrupted: bofh recover',
    });
  });
}

function namesOf({ on }: ConvertUndo): string {
  return on.map(({ device }) => device).join(' and ');
}

/** Manual recovery of a copy that was added or will be removed: removes exactly that copy. */
function convertedRecovery({ vg, name, lvUuid, to, on }: ConvertUndo, way: Way): ManualRecovery {
  const devices = on.map(({ device }) => device);
  const does = to === 'raid1' ? 'which got a copy on' : 'whose copy will be removed from';
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, ${does} ${devices.join(' and ')} (uuid ${on.map(({ uuid }) => uuid).join(' and ')})`,
    look: [['lvs', '--all', '--options', 'lv_name,lv_uuid,lv_layout,copy_percent,devices', vg]],
    // Before the commit a copy to remove still exists.
    clear:
      to === 'linear' && way === 'back' ? [] : [['lvconvert', '--mirrors', '0', `${vg}/${name}`, ...devices]],
  };
}

/**
 * A volume, and the devices on which it gets or loses a copy. lvconvert accepts no `--select`, so
 * compare the uuid before and after.
 */
interface Converted extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly devices: readonly string[];
}

/**
 * Converts a linear volume to a raid1 of two copies, the second on these devices. Returns at once;
 * the kernel fills the new copy. The volume may be in use, and keeps its name, uuid and extents.
 * `--yes` answers the only question, a confirmation (2.03.16).
 */
export function addCopy(of: Converted): Command<void, 'change'> {
  const argv = ['--type', 'raid1', '--mirrors', '1', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return change('lvconvert', argv, of);
}

/**
 * Converts a raid1 of two copies to linear by removing the copy on these devices. `--yes` answers
 * the only question, a confirmation. Does nothing to a linear volume, and exits with 0 (2.03.16).
 */
export function dropCopy(of: Converted): Command<void, 'destroy'> {
  const argv = ['--mirrors', '0', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return { ...change('lvconvert', argv, of), access: 'destroy' };
}
