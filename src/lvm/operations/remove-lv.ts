import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { inWords, remedyFor } from '../../blockdevice/index.ts';
import { type Holder, RefusedError } from '../../errors.ts';
import { removedByHand } from '../by-hand.ts';
import { activate, lvremove, lvrename, setAutoactivation } from '../commands.ts';
import { checkLvName, checkVgName } from '../names.ts';
import {
  deactivateOrTell,
  dependentHolders,
  everyHolderOf,
  holdersOf,
  syncGroup,
  udevOf,
  usableVg,
  volumesOf,
} from '../reads.ts';
import type { LogicalVolume } from '../schema.ts';

const args = z.strictObject({
  vg: z.string(),
  name: z.string(),
  /** Refused when the volume of that name is another one by now. */
  uuid: z.exactOptional(z.string()),
});

const undo = z.strictObject({
  vg: z.string(),
  vgUuid: z.string(),
  lvUuid: z.string(),
  name: z.string(),
  /** Its name until the commit. */
  gone: z.string(),
  wasActive: z.boolean(),
  autoactivation: z.boolean(),
  /** The boot in which it was active or not: another boot has decided that anew. */
  boot: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * Removes a logical volume: before the commit it is only taken out of the kernel, kept from coming back at boot, and
 * renamed; after the commit it is removed. Its space comes back then.
 */
export const removeLv = operation({
  kind: 'lvm.lv.remove',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { vg: group, name, uuid }, mark, host }) => {
    checkVgName(group);
    const vg = await usableVg(host, group);
    const all = vg.volumes;
    const lv = all.find((one) => one.name === name);
    if (lv === undefined)
      throw new RefusedError(`there is no logical volume ${group}/${name}`, {
        remedy: 'bofh lvm list shows every logical volume',
      });
    if (uuid !== undefined && lv.uuid !== uuid)
      throw new RefusedError(
        `${group}/${name} is another volume by now: its uuid is ${lv.uuid}, not ${uuid}`,
        { remedy: 'look at it (bofh lvm list), and name the volume that is meant' },
      );
    await refuseRemoval(host, { lv, all });
    const gone = `bofh_gone_${mark.replace(/^bofh\./, '').replaceAll('.', '_')}`;
    checkLvName(group, gone);
    const { boot } = await host.facts();
    const { uuid: lvUuid, autoactivation } = lv;
    const wasActive = lv.active === true;
    return { vg: group, vgUuid: vg.uuid, lvUuid, name, gone, wasActive, autoactivation, boot };
  },
  claims: async ({ undo: { vg, name, wasActive }, on }) => {
    const keys = [`lv:${vg}/${name}`];
    if (!wasActive) return { changes: keys, needs: [`vg:${vg}`] };
    const { key, beneath } = await on(`/dev/${vg}/${name}`);
    return { changes: [...new Set([...keys, key])], needs: [...new Set([`vg:${vg}`, ...beneath])] };
  },
  run: async ({ undo: of, host }) => {
    const { lv, all } = await mine(host, of);
    await refuseRemoval(host, { lv, all });
    await deactivateOrTell(host, { lv, all });
    await setBoot(host, lv, 'n');
    await rename(host, of, of.gone);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => lookAt(host, of, await find(host, of)),
  // The name first: the flag for the boot is the evidence that something is left to do, and goes last.
  revert: async ({ undo: of, host }) => {
    const found = await find(host, of);
    if (found === undefined || (await lookAt(host, of, found)).state !== 'ours') return;
    await rename(host, of, of.name);
    const { lv } = await mine(host, of);
    if (lv.active !== true && (await shallBeActive(host, of))) {
      await host.run(activate({ vg: lv.vg, name: lv.name, uuid: lv.uuid, ...(await udevOf(host)) }));
      // After another boot `look` does not ask whether it is active, so this is the moment to see that it is not.
      if ((await mine(host, of)).lv.active !== true)
        throw new RefusedError(`lvchange did not activate ${lv.fullName} (uuid ${lv.uuid})`, {
          remedy: `lvchange -ay ${lv.fullName} says why; then bofh recover`,
        });
    }
    if (of.autoactivation) await setBoot(host, lv, 'y');
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  afterCommit: async ({ undo: of, host }) => {
    const found = await find(host, of);
    if (found === undefined) return;
    const { lv, all } = found;
    if (lv.name !== of.gone) {
      throw new RefusedError(
        `${of.vg}/${of.gone} was renamed to ${lv.fullName} meanwhile: it is not removed`,
        { remedy: `if it is to go: lvremove ${lv.fullName}; then bofh recover` },
      );
    }
    refuseDependents(lv, all);
    await deactivateOrTell(host, { lv, all });
    await host.run(lvremove({ vg: lv.vg, name: lv.name, uuid: lv.uuid, ...(await udevOf(host)) }));
  },
  describe: removedByHand,
});

interface Found {
  readonly lv: LogicalVolume;
  readonly all: readonly LogicalVolume[];
}

// Without the volume group nobody can tell what became of the volume: its disks may be back tomorrow, with the
// renamed volume on them.
async function find(host: ReadHost, { vg, vgUuid, lvUuid }: Undo): Promise<Found | undefined> {
  const all = await volumesOf(host, vgUuid);
  if (all === undefined) {
    throw new RefusedError(
      `the volume group "${vg}" (uuid ${vgUuid}) is not there: what is in it cannot be told`,
      { remedy: 'attach its devices (pvscan), then bofh recover' },
    );
  }
  const lv = all.find(({ uuid }) => uuid === lvUuid);
  return lv === undefined ? undefined : { lv, all };
}

async function mine(host: ReadHost, of: Undo): Promise<Found> {
  const found = await find(host, of);
  if (found === undefined)
    throw new RefusedError(`${of.vg}/${of.name} (uuid ${of.lvUuid}) is gone`, {
      remedy: 'somebody else removed or replaced it: bofh lvm list',
    });
  return found;
}

async function lookAt(host: ReadHost, of: Undo, found: Found | undefined): Promise<Look> {
  if (found === undefined) return { state: 'gone' };
  const { lv } = found;
  if (lv.name !== of.gone && lv.name !== of.name) {
    return { state: 'not-ours', found: `it was renamed to ${lv.fullName} (uuid ${lv.uuid})` };
  }
  const deviates =
    lv.name === of.gone ||
    (of.autoactivation && !lv.autoactivation) ||
    ((await sameBoot(host, of)) && of.wasActive && lv.active !== true);
  return deviates ? { state: 'ours', holders: await holdersOf(host, found) } : { state: 'gone' };
}

async function sameBoot(host: ReadHost, { boot }: Undo): Promise<boolean> {
  return (await host.facts()).boot === boot;
}

// After another boot: as that boot would have left it, had nothing been begun.
async function shallBeActive(host: ReadHost, of: Undo): Promise<boolean> {
  return (await sameBoot(host, of)) ? of.wasActive : of.autoactivation;
}

/** Why a volume cannot be removed, as RefusedError. `ending`: the domain that will be gone by then. */
export async function refuseRemoval(host: ReadHost, { lv, all }: Found, ending?: number): Promise<void> {
  if (lv.role.includes('private')) {
    throw new RefusedError(`${lv.fullName} is part of another volume, or a pool (${lv.layout.join(', ')})`, {
      remedy: 'remove the volume that it is part of: lvs -a -o +devices',
    });
  }
  if (lv.role.includes('thicksnapshot')) {
    // lvm2 2.03.16 deactivates a snapshot with its origin only.
    throw new RefusedError(
      `${lv.fullName} is a snapshot of ${lv.origin?.name ?? ''}: bofh removes no snapshots`,
      { remedy: `lvremove ${lv.fullName}` },
    );
  }
  refuseDependents(lv, all);
  if (lv.active === 'unknown')
    throw new RefusedError(`lvm cannot tell whether ${lv.fullName} is active`, {
      remedy: `look at it: lvs -o +lv_active ${lv.fullName}; dmsetup info`,
    });
  const stays = (holder: Holder): boolean => holder.kind !== 'guest' || holder.domid !== ending;
  if ((await holdersOf(host, { lv, all })).some(stays)) {
    const who = (await everyHolderOf(host, { lv, all })).filter(stays);
    throw new RefusedError(`${lv.fullName} is in use: ${inWords(who)}`, {
      remedy: remedyFor(who),
      holders: who,
    });
  }
}

function refuseDependents(lv: LogicalVolume, all: readonly LogicalVolume[]): void {
  const holders = dependentHolders({ lv, all });
  const lost = holders.flatMap((each) => (each.kind === 'volume' ? [each.volume] : []));
  if (lost.length === 0) return;
  throw new RefusedError(`${lv.fullName} would take others along: ${lost.join(', ')}`, {
    remedy: `remove them first: lvremove ${lost.join(' ')}`,
    holders,
  });
}

async function setBoot(host: ChangeHost, lv: LogicalVolume, value: 'y' | 'n'): Promise<void> {
  if (lv.autoactivation === (value === 'y')) return;
  await host.run(
    setAutoactivation({ vg: lv.vg, name: lv.name, uuid: lv.uuid, value, ...(await udevOf(host)) }),
  );
}

// lvrename takes no --select: the uuid is compared just before and just after.
async function rename(host: ChangeHost, of: Undo, to: string): Promise<void> {
  const { lv, all } = await mine(host, of);
  if (lv.name === to) return;
  const taken = all.find(({ name }) => name === to);
  if (taken !== undefined) {
    throw new RefusedError(
      `${lv.fullName} (uuid ${lv.uuid}) cannot be called ${to}: a volume with uuid ${taken.uuid} has that name`,
      { remedy: `rename ${taken.fullName} (lvrename) and repeat` },
    );
  }
  await host.run(lvrename({ vg: lv.vg, name: lv.name, to, ...(await udevOf(host)) }));
  const after = await mine(host, of);
  if (after.lv.name !== to)
    throw new RefusedError(`lvrename did not rename ${lv.fullName} (uuid ${lv.uuid}) to ${to}`, {
      remedy: `look at both names (lvs -o lv_name,lv_uuid ${lv.vg}), then give the command again`,
    });
}
