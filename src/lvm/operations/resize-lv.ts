import * as z from 'zod/mini';
import { type Changed, type Look, operation } from '../../atomic/operation.ts';
import { inWords, remedyFor, sizeTooSmall } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError, UsageError } from '../../core/errors.ts';
import { formatSize, parseSize } from '../../core/units.ts';
import { growthWitness, inactive, whileActive } from './volume-content.ts';
import { volumeResizedRecovery } from '../manual-recovery-resize.ts';
import { isClassicSnapshot, isThin, refuseFullPool } from '../filling.ts';
import { checkVgName } from '../names.ts';
import { holdersOf, refuseUnknownActivation, syncGroup, usableVg } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { writeZeros } from '../zeros.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, known, volumeNamed } from './known-volume.ts';
import { poolNamed } from './pools.ts';
import {
  beyond,
  grow,
  growBack,
  mark,
  refuseHeldBeyond,
  refuseKind,
  type ResizeUndo,
  resizeUndo,
  shrink,
  tailOf,
  unmark,
} from './resized-volume.ts';
import { refuseRoom } from './snapshot-room.ts';
import { spreadOf, takenFor, unitOf, whyNotSmaller, whyNotSynced } from '../spread.ts';
import { sizeOption } from '../../core/request.ts';
import { present } from '../../core/present.ts';

const args = z.extend(askedVolume, {
  /** The new size, rounded up to whole extents, as for `createLv`. */
  size: sizeOption,
  /** Required to make a volume smaller. */
  shrink: z.exactOptional(z.literal('lose the data beyond the new size')),
  /** Fills the new part with zeros: otherwise old data of these extents remains readable. */
  added: z.exactOptional(z.literal('zeros')),
});

/**
 * Resizes a linear or thin logical volume, or extends a striped one or a raid1. Undo shrinks it
 * again, but never while its content reaches beyond the old size. Undo of a shrink restores the
 * same extents, with their content unless others have overwritten it. If another volume uses them
 * now, the undo is stuck and names that volume. A volume that already has the size keeps it, and
 * gets the step's tag. A volume under DRBD grows after the commit, because it could not shrink
 * again; so does the space of a classic snapshot.
 */
export const resizeLv = operation({
  kind: 'lvm.lv.resize',
  version: 1,
  args,
  undo: resizeUndo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg, name } }) => [`lv:${vg}/${name}`],
  restores: 'state',
  prepare: async ({ args: { vg: group, name, uuid, size, shrink: words, added }, mark: tag, host }) => {
    checkVgName(group);
    const wanted = parseSize(size);
    const vg = await usableVg(host, group);
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    const { vgUuid, uuid: lvUuid, size: from } = lv;
    const isSame = Math.ceil(wanted / vg.extentSize) * vg.extentSize === from;
    const spread = isSame ? undefined : await spreadOf(host, lv);
    const unit = unitOf(spread, vg.extentSize);
    const to = Math.ceil(wanted / unit) * unit;
    const known = { vg: group, vgUuid, lvUuid, name, from, to, extentSize: vg.extentSize, tag, cut: [] };
    if (to === from) return known;
    refuseKind({ lv, all: vg.volumes });
    refuseUnknownActivation(lv);
    if (isClassicSnapshot(lv)) {
      if (added !== undefined) throw new UsageError(`${lv.fullName} is a snapshot: leave out \`added\``);
      return { ...known, ...refuseRoom(vg, lv, to), when: 'after the commit' as const };
    }
    const thin = isThin(lv) ? { ...known, pool: lv.pool } : undefined;
    if (to > from) {
      if (spread?.type === 'raid1') refuseFor(`${lv.fullName} cannot grow`, whyNotSynced(lv));
      if (thin === undefined) refuseFull(vg, { name, more: takenFor(spread, to - from) });
      else refuseFullPool(poolNamed(vg, thin.pool), `the growth of ${group}/${name}`);
      const held = await holdersOf(host, { lv, all: vg.volumes });
      const isReplica = held.some(({ kind }) => kind === 'drbd');
      if (added !== undefined) refuseZeroing(lv, isReplica, held);
      return { ...(thin ?? known), ...(isReplica ? { when: 'after the commit' as const } : {}) };
    }
    if (spread !== undefined) refuseFor(`${lv.fullName} cannot shrink`, whyNotSmaller(lv, spread.type));
    if (words === undefined)
      throw new UsageError(
        `${group}/${name} has ${formatSize(from)}: everything after the first ${formatSize(to)} would be lost`,
        {
          remedy: `shrink its content first; then resizeLv({ …, shrink: 'lose the data beyond the new size' })`,
        },
      );
    await refuseHeldBeyond(host, { lv, all: vg.volumes }, to);
    if (thin !== undefined) return thin;
    return { ...known, cut: [...(await tailOf(host, lv, { from: to, extentSize: vg.extentSize }))] };
  },
  claims: async ({ undo: { vg, name }, on }) => {
    const device = await deviceKeys(on, `/dev/${vg}/${name}`);
    return {
      changes: [...new Set([`lv:${vg}/${name}`, ...(device === undefined ? [] : [device.key])])],
      needs: [...new Set([`vg:${vg}`, ...(device?.beneath ?? [])])],
    };
  },
  // If this sequence also created the volume, its undo removes the whole volume, so this step is skipped.
  within: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  defers: ({ undo: { when } }) => when !== undefined,
  run: async ({ args: { added }, undo: of, host }) => {
    const { lv, all } = await known(host, of);
    if (lv.name !== of.name || lv.size !== of.from)
      throw new RefusedError(
        `${of.vg}/${of.name} (uuid ${of.lvUuid}) was changed concurrently: its name is ${lv.fullName} and its size ${lv.size} bytes (expected: ${of.from}); nothing was done`,
        { remedy: 'see its state now: bofh lvm list; then run the command again' },
      );
    if (of.to === of.from) await mark(host, of);
    else if (of.to > of.from) {
      await grow(host, of, of.to);
      if (added !== undefined) await writeZeros(host, { ...lv, size: of.to }, of.from);
    } else {
      await refuseHeldBeyond(host, { lv, all }, of.to);
      await shrink(host, of, of.to);
    }
    return null;
  },
  value: ({ undo: { vg, name, to, when } }) => ({
    ...{ path: `/dev/${vg}/${name}`, size: to },
    ...present({ when }),
  }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const lv = (await findKnown(host, of))?.lv;
    if (lv === undefined) return { state: 'gone' };
    const moved = lv.vg === of.vg && lv.name === of.name ? {} : { movedTo: `lv:${lv.fullName}` };
    if (of.to === of.from) return lv.tags.includes(of.tag) ? { state: 'ours', ...moved } : { state: 'gone' };
    if (of.when !== undefined && lv.size >= of.to) return { state: 'gone' };
    // dmeventd may already have extended the snapshot by a part of the requested growth.
    if (lv.size === of.from || isRoomMissing(lv, of))
      return { state: of.when === undefined ? 'gone' : 'ours', ...moved };
    if (!between(of).includes(lv.size))
      return {
        state: 'not-ours',
        found: `${lv.fullName} (uuid ${lv.uuid}) has ${lv.size} bytes, neither ${of.from} nor ${of.to}`,
      };
    return { state: 'ours', holders: of.to > of.from ? await beyond(host, lv, of.from) : [], ...moved };
  },
  revert: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined) return;
    if (of.to === of.from) await unmark(host, of);
    else if (of.to < of.from) await growBack(host, of);
    else if (found.lv.size === of.to) await shrink(host, of, of.from, 'back');
  },
  // `look` reports known content in the new part; this reports bytes of unknown origin.
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const lv = (await findKnown(host, of))?.lv;
      return lv === undefined || of.to <= of.from || lv.size < of.to
        ? undefined
        : growthWitness(host, lv, of);
    },
    changed: async ({ undo: of, witness, touched, host }) => {
      const lv = (await findKnown(host, of))?.lv;
      if (lv === undefined || of.when !== undefined || of.to <= of.from || lv.size < of.to) return undefined;
      return whileActive(host, lv, () => partChanged(host, { of, lv, witness, touched }));
    },
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  afterCommit: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found !== undefined && (found.lv.size === of.from || isRoomMissing(found.lv, of)))
      await grow(host, of, of.to);
  },
  describe: volumeResizedRecovery,
});

/**
 * Returns what others have written to the added part of a volume that is active now. RefusedError if
 * its content reaches into that part.
 */
async function partChanged(
  host: ReadHost,
  {
    of,
    lv,
    witness,
    touched,
  }: {
    readonly of: ResizeUndo;
    readonly lv: LogicalVolume;
    readonly witness: string | undefined;
    readonly touched: boolean;
  },
): Promise<Changed | undefined> {
  // If the sequence itself worked on the volume (`touched`), for example grew and shrank a filesystem, old bytes prove nothing.
  if (touched) return undefined;
  // `look` reports the content of a volume that is active already.
  const users = lv.active === false ? await beyond(host, { ...lv, active: true }, of.from) : [];
  if (users.length > 0) throw sizeTooSmall(lv.fullName, of.from, users);
  if (lv.active === 'unknown' || witness === undefined || witness === inactive) return undefined;
  return (await growthWitness(host, { ...lv, active: true }, of)) === witness
    ? undefined
    : { found: `others wrote to ${lv.fullName} after its first ${formatSize(of.from)}` };
}

/** Whether a classic snapshot has less space than requested. */
function isRoomMissing({ size }: LogicalVolume, { origin, to }: ResizeUndo): boolean {
  return origin !== undefined && size < to;
}

/**
 * Returns the sizes that an interrupted run or undo can leave: the new one, and each at which
 * growing back may stop.
 */
function between({ to, cut, extentSize }: ResizeUndo): readonly number[] {
  let size = to;
  return [to, ...cut.slice(0, -1).map(({ count }) => (size += count * extentSize))];
}

function refuseFor(what: string, not: { readonly why: string; readonly remedy: string } | undefined): void {
  if (not !== undefined) throw new RefusedError(`${what}: ${not.why}`, { remedy: not.remedy });
}

/** RefusedError if zeroing is impossible: it needs an active and still unused volume. */
function refuseZeroing(
  { active, fullName }: LogicalVolume,
  isReplica: boolean,
  held: readonly Holder[],
): void {
  if (isReplica)
    throw new UsageError(
      `${fullName} belongs to a DRBD resource, so it grows only after the commit, and the added space cannot be zeroed: leave out \`added\``,
    );
  if (held.length > 0)
    throw new RefusedError(`${fullName} is in use: ${inWords(held)}; the added space cannot be zeroed`, {
      holders: held,
      remedy: `${remedyFor(held) ?? 'end that use first'}; or leave out \`added\``,
    });
  if (active !== true)
    throw new RefusedError(`${fullName} is not active: the added space cannot be zeroed`, {
      remedy: `bofh lvm activate ${fullName}`,
    });
}

function refuseFull(vg: WholeGroup, { name, more }: { readonly name: string; readonly more: number }): void {
  if (more <= vg.free) return;
  throw new RefusedError(
    `${vg.name}/${name} needs ${formatSize(more)} more; ${vg.name} has ${formatSize(vg.free)} free`,
    { code: 'no-space', remedy: `request less, or add a device: bofh lvm vg extend ${vg.name} DEVICE` },
  );
}
