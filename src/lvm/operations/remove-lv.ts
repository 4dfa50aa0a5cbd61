import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import { removedRecovery } from '../manual-recovery.ts';
import { activate, setAutoactivation } from '../lv-commands.ts';
import { isClassicSnapshot, isThinPool } from '../filling.ts';
import { checkLvName, checkVgName, dmName } from '../names.ts';
import {
  deactivateNamingHolders,
  dependentHolders,
  everyHolderOf,
  holdersOf,
  inUse,
  refuseUnknownActivation,
  removeOrNameHolders,
  syncGroup,
  udevOf,
  usableVg,
  type VolumeAmong,
} from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';
import { tombstone, tombstonePrefix } from './groups.ts';
import { askedVolume, findKnown, known, knownVolume, rename, volumeNamed } from './known-volume.ts';
import { volumeChanged, volumeWitness } from './volume-content.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(knownVolume, {
  /** Name of the volume until the commit. */
  gone: z.string(),
  wasActive: z.boolean(),
  autoactivation: z.boolean(),
  /**
   * The boot in which the active state was recorded: a later boot may have activated the volume.
   */
  boot: z.string(),
  /**
   * A classic snapshot is active together with its origin, so it keeps its state and flag until it
   * is removed.
   */
  sort: z.exactOptional(z.enum(['classic snapshot', 'thin pool'])),
});

type Undo = z.infer<typeof undo>;

/**
 * Removes a logical volume. Before the commit it is only deactivated, excluded from autoactivation,
 * and renamed; after the commit it is removed and its space is free. A classic snapshot is only
 * renamed before the commit, because lvm deactivates it only with its origin. A thin pool is
 * refused while it contains a volume, except volumes that the same sequence removed before. The
 * configurations of guests are not read: only the command line refuses a volume that one of them
 * names.
 */
export const removeLv = operation({
  kind: 'lvm.lv.remove',
  version: 1,
  args: askedVolume,
  undo,
  result: z.null(),
  lives: 'disk',
  endsAccess: true,
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { vg: group, name, uuid }, mark, host }) => {
    checkVgName(group);
    const vg = await usableVg(host, group);
    const all = vg.volumes;
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    await refuseRemoval(host, { lv, all: staying(lv, all, tombstonePrefix(mark)) });
    const gone = tombstone(mark);
    checkLvName(group, gone);
    const { boot } = await host.facts();
    const { uuid: lvUuid, autoactivation } = lv;
    const wasActive = lv.active === true;
    const of = { vg: group, vgUuid: vg.uuid, lvUuid, name, gone, wasActive, autoactivation, boot };
    if (isThinPool(lv)) return { ...of, sort: 'thin pool' as const };
    return isClassicSnapshot(lv) ? { ...of, sort: 'classic snapshot' as const } : of;
  },
  claims: async ({ undo: { vg, name, gone, wasActive, sort }, on }) => {
    const keys = [`lv:${vg}/${name}`];
    const makes = [`lv:${vg}/${gone}`];
    if (!wasActive) return { makes, changes: keys, needs: [`vg:${vg}`] };
    // A pool may have no link of its own there (lib/metadata/lv.c lv_path_dup of 2.03.16).
    const { key, beneath } = await on(
      sort === 'thin pool' ? `/dev/mapper/${dmName(vg, name)}` : `/dev/${vg}/${name}`,
    );
    return { makes, changes: [...new Set([...keys, key])], needs: [...new Set([`vg:${vg}`, ...beneath])] };
  },
  run: async ({ undo: of, host }) => {
    const { lv, all } = await known(host, of);
    await refuseRemoval(host, { lv, all: staying(lv, all, of.gone.replace(/\d+$/, '')) });
    if (of.sort !== 'classic snapshot') {
      await deactivateNamingHolders(host, { lv, all });
      await setBoot(host, lv, 'n');
    }
    const renamed = await rename(host, of, of.gone);
    // An active volume can be written to, and one with the flag is activated at the next boot.
    if (of.sort !== 'classic snapshot' && (renamed.active === true || renamed.autoactivation))
      throw new RefusedError(
        `lvchange did not ${renamed.autoactivation ? 'exclude' : 'deactivate'} ${of.vg}/${of.name}${renamed.autoactivation ? ' from autoactivation' : ''}, although it reported success`,
        { remedy: 'see the kernel log: dmesg; then run the command again' },
      );
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => lookAt(host, of, await findKnown(host, of)),
  // Restores the name first and the autoactivation flag last, because the flag shows that something
  // is left to do.
  revert: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined || (await lookAt(host, of, found)).state !== 'ours') return;
    await rename(host, of, of.name);
    if (of.sort === 'classic snapshot') return;
    const { lv } = await known(host, of);
    if (lv.active !== true && (await shallBeActive(host, of, lv))) {
      const { vg, name, uuid, skipped } = lv;
      await host.run(activate({ vg, name, uuid, skipped, ...(await udevOf(host)) }));
      // After another boot `look` does not check whether the volume is active, so this checks that
      // it is active now.
      if ((await known(host, of)).lv.active !== true)
        throw new RefusedError(`lvchange did not activate ${lv.fullName} (uuid ${lv.uuid})`, {
          remedy: `try it by hand, to see the reason: lvchange -ay ${lv.fullName}; then: bofh recover`,
        });
    }
    if (of.autoactivation) await setBoot(host, lv, 'y');
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  afterCommit: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined) return;
    const { lv, all } = found;
    if (lv.name !== of.gone) {
      throw new RefusedError(
        `${of.vg}/${of.gone} was renamed to ${lv.fullName} meanwhile: the volume is not removed`,
        { remedy: `to remove it: lvremove ${lv.fullName}; then: bofh recover` },
      );
    }
    refuseDependents(lv, all);
    await removeOrNameHolders(host, { lv, all });
  },
  content: {
    lost: 'finished',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const found = await findKnown(host, of);
      return found === undefined || isThinPool(found.lv) ? undefined : volumeWitness(host, found.lv);
    },
    changed: async ({ undo: of, witness, host }) => {
      const found = await findKnown(host, of);
      if (found === undefined || witness === undefined) return undefined;
      return volumeChanged(host, found.lv, witness);
    },
  },
  describe: removedRecovery,
});

async function lookAt(host: ReadHost, of: Undo, found: VolumeAmong | undefined): Promise<Look> {
  if (found === undefined) return { state: 'gone' };
  const { lv } = found;
  if (lv.name !== of.gone && lv.name !== of.name) {
    return { state: 'not-ours', found: `it was renamed to ${lv.fullName} (uuid ${lv.uuid})` };
  }
  const deviates =
    lv.name === of.gone ||
    (of.sort !== 'classic snapshot' &&
      ((of.autoactivation && !lv.autoactivation) ||
        ((await sameBoot(host, of)) && of.wasActive && lv.active !== true)));
  return deviates ? { state: 'ours', holders: await holdersOf(host, found) } : { state: 'gone' };
}

async function sameBoot(host: ReadHost, { boot }: Undo): Promise<boolean> {
  return (await host.facts()).boot === boot;
}

// Returns whether it must be active. After another boot: as that boot would have left it without
// this step.
async function shallBeActive(host: ReadHost, of: Undo, { skipped }: LogicalVolume): Promise<boolean> {
  return (await sameBoot(host, of)) ? of.wasActive : of.autoactivation && !skipped;
}

/**
 * RefusedError if a volume cannot be removed, with the reason. `ending`: a domain that will be
 * destroyed before.
 */
export async function refuseRemoval(
  host: ReadHost,
  { lv, all }: VolumeAmong,
  ending?: number,
): Promise<void> {
  if (lv.role.includes('private') && !isThinPool(lv)) {
    throw new RefusedError(`${lv.fullName} is part of another volume (${lv.role.join(', ')})`, {
      remedy: 'remove the volume that it is part of: lvs -a -o +devices',
    });
  }
  if (lv.merging)
    throw new RefusedError(`${lv.fullName} is being merged, or a snapshot is being merged into it`, {
      remedy: `wait until it ends: lvs -a -o +lv_merging,copy_percent ${lv.vg}`,
    });
  refuseDependents(lv, all);
  refuseUnknownActivation(lv);
  const stays = (holder: Holder): boolean => holder.kind !== 'guest' || holder.domid !== ending;
  if ((await holdersOf(host, { lv, all })).some(stays))
    throw inUse(lv, (await everyHolderOf(host, { lv, all })).filter(stays));
}

function refuseDependents(lv: LogicalVolume, all: readonly LogicalVolume[]): void {
  const holders = dependentHolders({ lv, all });
  const lost = holders.flatMap((each) => (each.kind === 'volume' ? [each.volume] : []));
  if (lost.length === 0) return;
  const snapshots = all.filter(({ origin }) => origin?.uuid === lv.uuid);
  const what = snapshots.length > 0 ? 'has snapshots, which would be removed too' : 'would remove others too';
  throw new RefusedError(`${lv.fullName} ${what}: ${lost.join(', ')}`, {
    remedy: `remove them first: ${lost.map((volume) => `bofh lvm remove ${volume}`).join('; ')}`,
    holders,
  });
}

/**
 * Ignores volumes in the pool that the same sequence removes: after the commit they are removed
 * first, or the pool stays.
 */
function staying(
  lv: LogicalVolume,
  all: readonly LogicalVolume[],
  tombstones: string,
): readonly LogicalVolume[] {
  return all.filter(({ pool, name }) => pool?.uuid !== lv.uuid || !name.startsWith(tombstones));
}

async function setBoot(host: ChangeHost, lv: LogicalVolume, value: 'y' | 'n'): Promise<void> {
  if (lv.autoactivation === (value === 'y')) return;
  await host.run(
    setAutoactivation({ vg: lv.vg, name: lv.name, uuid: lv.uuid, value, ...(await udevOf(host)) }),
  );
}
