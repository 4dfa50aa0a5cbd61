import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost, Command } from '../../command/index.ts';
import { inWords, remedyFor } from '../../blockdevice/index.ts';
import { directBytesAt } from '../../blockdevice/bytes-at.ts';
import { type Holder, RefusedError, UsageError } from '../../core/errors.ts';
import { mergedRecovery } from '../manual-recovery-snapshot.ts';
import { isClassicSnapshot, isThin, refuseFullPool, refuseFullSnapshot } from '../filling.ts';
import { checkVgName } from '../names.ts';
import {
  everyHolderOf,
  holdersOf,
  refuseUnknownActivation,
  removeOrNameHolders,
  syncGroup,
  udevOf,
  usableVg,
} from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, knownVolume, volumeNamed } from './known-volume.ts';
import { volumeChanged, volumeWitness } from './volume-content.ts';
import { present } from '../../core/present.ts';
import { change } from '../commands.ts';
import type { Guarded } from '../lv-commands.ts';

const undo = z.extend(knownVolume, {
  origin: z.strictObject({ name: z.string(), uuid: z.string() }),
  sort: z.enum(['classic', 'thin']),
});

type Undo = z.infer<typeof undo>;

/**
 * Merges a snapshot into its origin after the commit, and waits for the end: the changes of the
 * origin since the snapshot was taken are lost, and so is the snapshot. The origin keeps its name,
 * uuid and tags. Refused while either is in use, because lvm would only schedule the merge for the
 * next activation.
 */
export const mergeSnapshot = deferred({
  kind: 'lvm.snapshot.merge',
  version: 1,
  args: askedVolume,
  undo,
  prepare: async ({ args: { vg: group, name, uuid }, host }) => {
    checkVgName(group);
    const vg = await usableVg(host, group);
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    const found = pairOf(lv, vg.volumes);
    await refuseUnmergeable(host, found);
    const { origin, sort } = found;
    const of = { vg: group, vgUuid: vg.uuid, lvUuid: lv.uuid, name };
    return { ...of, origin: { name: origin.name, uuid: origin.uuid }, sort };
  },
  claims: async ({ undo: { vg, name, origin }, on }) => {
    const both = [name, origin.name];
    const devices = await Promise.all(both.map((each) => deviceKeys(on, `/dev/${vg}/${each}`)));
    const changes = new Set([
      ...both.map((each) => `lv:${vg}/${each}`),
      ...devices.flatMap((device) => device?.key ?? []),
    ]);
    const beneath = devices.flatMap((device) => device?.beneath ?? []);
    return {
      changes: [...changes],
      needs: [...new Set([`vg:${vg}`, ...beneath])].filter((key) => !changes.has(key)),
    };
  },
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await findKnown(host, of);
    if (found === undefined) return { state: 'gone' };
    const { lv, all } = found;
    const origin = all.find(({ uuid }) => uuid === of.origin.uuid);
    if (origin !== undefined && (await isMerged(host, lv)))
      return { state: 'ours', holders: await usersOf(host, [lv]) };
    if (origin === undefined || (lv.origin?.uuid !== origin.uuid && !lv.merging))
      return {
        state: 'not-ours',
        found: `${lv.fullName} (uuid ${lv.uuid}) is not a snapshot of ${of.origin.uuid} any more`,
      };
    const moved = lv.vg === of.vg && lv.name === of.name ? {} : { movedTo: `lv:${lv.fullName}` };
    return { state: 'ours', holders: await usersOf(host, [lv, origin]), ...moved };
  },
  afterCommit: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined) return;
    if (found.lv.merging) return goOn(host, of, found.all);
    if (await isMerged(host, found.lv)) return removeOrNameHolders(host, found);
    const pair = pairOf(found.lv, found.all);
    if (pair.origin.uuid !== of.origin.uuid)
      throw new RefusedError(
        `${found.lv.fullName} is a snapshot of another volume now (${pair.origin.fullName}): it is not merged`,
        {
          remedy: `close the journal, which leaves the snapshot as it is: bofh recover --abandon ID --because "…"; to merge it then: bofh lvm snapshot merge ${found.lv.fullName}`,
        },
      );
    await refuseUnmergeable(host, pair);
    const { vg, name } = found.lv;
    await host.run(lvmerge({ vg, name, sort: of.sort, ...(await udevOf(host)) }));
    await refuseUnfinished(host, of);
  },
  // Writes to the origin after the request must not be lost.
  content: {
    lost: 'finished',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const both = await bothOf(host, of);
      return both === undefined ? undefined : JSON.stringify(await witnessesOf(host, both));
    },
    changed: async ({ undo: of, witness, host }) => {
      const both = await bothOf(host, of);
      if (both === undefined || witness === undefined) return undefined;
      const before = witnesses.parse(JSON.parse(witness));
      if (isClassicSnapshot(both.lv) && both.lv.data !== before.data)
        return { found: `others wrote to ${both.origin.fullName} or ${both.lv.fullName}` };
      return (
        (await volumeChanged(host, both.origin, before.origin)) ??
        (await volumeChanged(host, both.lv, before.lv))
      );
    },
  },
  sync: async ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: mergedRecovery,
});

const witnesses = z.strictObject({
  origin: z.string(),
  lv: z.string(),
  /**
   * Usage of a classic snapshot in percent: the first write to each part of the origin, or to the
   * snapshot, increases it.
   */
  data: z.optional(z.number()),
});

/** `disk_header` and `disk_exception` of the kernel's drivers/md/dm-snap-persistent.c. */
const cow = { magic: 0x70416e53, sectors: 12, newChunk: 8 } as const;

/**
 * Whether the merge is complete. At the end of a merge lvm turns the snapshot into a plain volume
 * in one metadata commit, and removes it in the next. A power cut between the two leaves the volume
 * with a snapshot header whose exceptions the kernel has cleared one by one as it merged them. A
 * volume that `lvconvert --splitsnapshot` left has exceptions, unless it never differed from its
 * origin.
 */
async function isMerged(host: ReadHost, lv: LogicalVolume): Promise<boolean> {
  if (lv.origin !== undefined || lv.merging || lv.active !== true) return false;
  const header = await host.run(directBytesAt(lv.dmPath, { from: 0, count: 16 }));
  const [magic, valid] = [header.getUint32(0, true), header.getUint32(4, true)];
  const chunk = header.getUint32(cow.sectors, true) * 512;
  if (magic !== cow.magic || valid !== 1 || chunk < 4096 || chunk + 16 > lv.size) return false;
  const exception = await host.run(directBytesAt(lv.dmPath, { from: chunk, count: 16 }));
  return exception.getBigUint64(cow.newChunk, true) === 0n;
}

/**
 * Returns snapshot and origin. Undefined once the merge has begun, because the merge writes to both
 * volumes.
 */
async function bothOf(host: ReadHost, of: Undo): Promise<Pick<Pair, 'lv' | 'origin'> | undefined> {
  const found = await findKnown(host, of);
  const origin = found?.all.find(({ uuid }) => uuid === of.origin.uuid);
  return found === undefined ||
    origin === undefined ||
    found.lv.origin?.uuid !== origin.uuid ||
    found.lv.merging
    ? undefined
    : { lv: found.lv, origin };
}

async function witnessesOf(
  host: ReadHost,
  { origin, lv }: Pick<Pair, 'lv' | 'origin'>,
): Promise<z.infer<typeof witnesses>> {
  return { origin: await volumeWitness(host, origin), lv: await volumeWitness(host, lv), data: lv.data };
}

interface Pair {
  readonly lv: LogicalVolume;
  readonly origin: LogicalVolume;
  readonly sort: Undo['sort'];
  /** Other classic snapshots of the origin: a merge is a change for them too. */
  readonly others: readonly LogicalVolume[];
  readonly pool: LogicalVolume | undefined;
}

/** Returns a snapshot and its origin. UsageError if it is not a snapshot. */
function pairOf(lv: LogicalVolume, all: readonly LogicalVolume[]): Pair {
  const origin = all.find(({ uuid }) => uuid === lv.origin?.uuid);
  const isThinOne = isThin(lv) && origin?.pool?.uuid === lv.pool.uuid;
  if (origin === undefined || !(isClassicSnapshot(lv) || isThinOne))
    throw new UsageError(`${lv.fullName} is not a snapshot of an existing volume: it cannot be merged`, {
      remedy: 'see the snapshots and their origins: bofh lvm list',
    });
  const others = all.filter(
    (other) => other.uuid !== lv.uuid && other.origin?.uuid === origin.uuid && isClassicSnapshot(other),
  );
  const pool = all.find(({ uuid }) => uuid === lv.pool?.uuid);
  return { lv, origin, sort: isThinOne ? 'thin' : 'classic', others, pool: isThinOne ? pool : undefined };
}

async function refuseUnmergeable(host: ReadHost, { lv, origin, sort, others, pool }: Pair): Promise<void> {
  for (const each of [lv, origin]) refuseUnknownActivation(each);
  if (lv.merging || origin.merging)
    throw new RefusedError(`a snapshot is being merged into ${origin.fullName} already`, {
      remedy: `wait until it ends: lvs -a -o +lv_merging,data_percent ${lv.vg}`,
    });
  await refuseUsed(host, { lv, origin });
  const what = `merging ${lv.fullName} into ${origin.fullName}`;
  if (pool !== undefined) refuseFullPool(pool, what);
  for (const each of sort === 'classic' ? [lv, ...others] : []) refuseFullSnapshot(each, what);
  if (sort === 'thin' && others.length > 0)
    throw new RefusedError(
      `${origin.fullName} has classic snapshots too: lvm does not merge a thin snapshot into it`,
      {
        remedy: `remove them first: ${others.map(({ fullName }) => `bofh lvm remove ${fullName}`).join('; ')}`,
      },
    );
  if (sort === 'classic' && origin.active !== true)
    throw new RefusedError(
      `${origin.fullName} is not active: lvm would postpone the merge to its next activation`,
      {
        remedy: `bofh lvm activate ${origin.fullName}; then run the command again`,
      },
    );
}

async function refuseUsed(host: ReadHost, { lv, origin }: Pick<Pair, 'lv' | 'origin'>): Promise<void> {
  for (const each of [origin, lv]) {
    if ((await usersOf(host, [each])).length === 0) continue;
    const holders = await everyHolderOf(host, { lv: each, all: [] });
    throw new RefusedError(
      `${each.fullName} is in use: ${inWords(holders)}; lvm would postpone the merge to the next activation`,
      { remedy: remedyFor(holders), holders },
    );
  }
}

/** Returns the holders, except the snapshot as a holder of its origin. */
async function usersOf(host: ReadHost, volumes: readonly LogicalVolume[]): Promise<readonly Holder[]> {
  return (await Promise.all(volumes.map((lv) => holdersOf(host, { lv, all: [] })))).flat();
}

/** Continues a merge that lvm has scheduled, because it was interrupted or a volume was open. */
async function goOn(host: ChangeHost, of: Undo, all: readonly LogicalVolume[]): Promise<void> {
  const origin = all.find(({ uuid }) => uuid === of.origin.uuid);
  if (origin?.active !== true || of.sort === 'thin') throw postponed(of);
  const { vg, name, uuid } = origin;
  const udev = await udevOf(host);
  await host.run(refresh({ vg, name, uuid, ...udev }));
  await host.run(waitMerged({ vg, name, ...udev }));
  await refuseUnfinished(host, of);
}

async function refuseUnfinished(host: ReadHost, of: Undo): Promise<void> {
  if ((await findKnown(host, of))?.lv.merging === true) throw postponed(of);
}

function postponed({ vg, name, origin }: Undo): RefusedError {
  return new RefusedError(
    `lvm has postponed the merge of ${vg}/${name} into ${vg}/${origin.name} to the next activation, because one of the two is open or not active`,
    {
      remedy: `stop what uses the two volumes; then: lvchange -an ${vg}/${origin.name}; lvchange -ay ${vg}/${origin.name}; bofh recover`,
    },
  );
}

/**
 * A snapshot, by its name. lvconvert accepts no `--select`, so the uuid must be compared before
 * lvconvert runs.
 */
interface Merged extends Omit<Guarded, 'uuid'> {
  readonly sort: 'classic' | 'thin';
}

// In the foreground: lvmpolld would continue in the background if lvconvert is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Merges a snapshot into its origin and removes it; the origin keeps its name, uuid and tags. Takes
 * as long as the copying. While either volume is open, lvm only schedules the merge for the next
 * activation and exits with 0 (_lvconvert_merge_old_snapshot of 2.03.16): check afterwards.
 */
export function lvmerge(of: Merged): Command<void, 'destroy'> {
  const how = of.sort === 'classic' ? ['--mergesnapshot', '--interval', '1'] : ['--mergethin'];
  const command = change('lvconvert', [...how, `${of.vg}/${of.name}`], of, inForeground);
  return { ...command, access: 'destroy', progress: partMerged };
}

/**
 * Starts a scheduled or interrupted merge in the kernel. Changes nothing if the merge already runs.
 */
export function refresh(lv: Guarded): Command<void, 'change'> {
  const argv = ['--refresh', '--poll', 'n', '--select', `lv_uuid=${lv.uuid}`, `${lv.vg}/${lv.name}`];
  return change('lvchange', argv, lv);
}

/**
 * Waits until a classic merge into that origin ends, then removes the snapshot. Also exits with 0
 * if the origin is not active.
 */
export function waitMerged(origin: Omit<Guarded, 'uuid'>): Command<void, 'change'> {
  const argv = ['--polloperation', 'merge', '--interval', '1', `${origin.vg}/${origin.name}`];
  const { argv: whole, ...command } = change('lvm', argv, origin);
  return { ...command, argv: ['lvpoll', ...whole], progress: partMerged };
}

/** Reads the progress: `vg0/web1: Merged: 12.34%`. */
function partMerged(output: string): number | undefined {
  const percent = [...output.matchAll(/: Merged: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
