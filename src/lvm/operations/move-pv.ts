import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost, Command } from '../../command/index.ts';
import { RefusedError, type ManualRecovery } from '../../core/errors.ts';
import { syncGroup, udevOf } from '../reads.ts';
import { findGroup, knownGroup, sameGroup } from './known-group.ts';
import {
  accountedFor,
  claimsOn,
  knownPv,
  memberWith,
  type PresentPv,
  whileAllocatable,
} from './known-pvs.ts';
import { type Extents, extentsOf, type Piece, piece, placeOf, topName } from './moves.ts';
import { plannedMove } from './planned-move.ts';
import { change, type Udev } from '../commands.ts';
import { type Place, range } from '../lv-commands.ts';

const args = z.strictObject({
  /** The physical volume to empty. */
  device: z.string().check(z.minLength(1)),
  /** The devices to fill, in this order (default: all others of the group). */
  to: z.exactOptional(z.array(z.string().check(z.minLength(1))).check(z.minLength(1))),
  /** Moves only this volume of the group. */
  volume: z.exactOptional(
    z.strictObject({
      /** Its volume group. */
      vg: z.string(),
      /** Its name in the group. */
      name: z.string(),
    }),
  ),
});

const undo = z.extend(knownGroup, {
  /** The source, then the targets. */
  pvs: z.array(knownPv).check(z.minLength(2)),
  pieces: z.array(piece).check(z.minLength(1)),
});

type Undo = z.infer<typeof undo>;

/**
 * Moves the extents of all volumes, or of one, from a physical volume to others of its group; the
 * volumes may be in use. The step chooses the targets before, so undo moves the same extents back,
 * which takes as long again. An undo of an interrupted step aborts the current move of lvm.
 */
export const movePv = operation({
  kind: 'lvm.pv.move',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg, pieces } }) => volumesOf(vg, pieces),
  restores: 'state',
  prepare: async ({ args: asked, host }) => plannedMove(host, asked),
  claims: async ({ undo: { vg, pvs, pieces }, on }) => {
    const { changes, needs } = await claimsOn(pvs, on);
    return { changes: [...changes, ...volumesOf(vg, pieces)], needs: [`vg:${vg}`, ...needs] };
  },
  run: async ({ undo: of, host }) => {
    await sameGroup(host, of);
    for (const each of of.pieces) await move(host, of, { piece: each, way: 'forth' });
    return null;
  },
  value: ({ undo: { pvs, pieces } }) => ({
    device: pvs[0]?.device ?? '',
    uuid: pvs[0]?.uuid ?? '',
    extents: pieces.reduce((sum, { count }) => sum + count, 0),
    volumes: [...new Set(pieces.map(({ name }) => topName(name)))],
  }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const now = await extentsNow(host, of);
    if (now === undefined) return { state: 'gone' };
    const places = of.pieces.map((each) => placeOf(now, each));
    if (places.some((place) => place === 'there' || place === 'moving')) {
      const moved = now.vg === of.vg ? {} : { movedTo: `vg:${now.vg}` };
      return { state: 'ours', ...moved };
    }
    const lost = of.pieces.find(
      ({ lvUuid }, at) => places[at] === 'lost' && now.volumes.some(({ uuid }) => uuid === lvUuid),
    );
    if (lost === undefined) return { state: 'gone' };
    return {
      state: 'not-ours',
      found: `${of.vg}/${lost.name} (uuid ${lost.lvUuid}) is at another place now`,
    };
  },
  revert: async ({ undo: of, host }) => {
    for (const each of of.pieces.toReversed()) await move(host, of, { piece: each, way: 'back' });
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: ({ undo: of }) => movedRecovery(of),
});

type Now = Extents & { readonly vg: string };

/** Returns the present extents of the group. Undefined if the group was removed. */
async function extentsNow(host: ReadHost, of: Undo): Promise<Now | undefined> {
  const vg = await findGroup(host, of);
  if (vg !== undefined) return { ...(await extentsOf(host, vg)), vg: vg.name };
  await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: of.pvs });
  return undefined;
}

/**
 * Moves one piece there or back, unless it is there already. First aborts a move that lvm has not
 * finished.
 */
async function move(
  host: ChangeHost,
  of: Undo,
  { piece: each, way }: { readonly piece: Piece; readonly way: 'forth' | 'back' },
): Promise<void> {
  const before = await extentsNow(host, of);
  if (before === undefined) return;
  const place = placeOf(before, each);
  if (place === 'moving') {
    const { path } = await memberWith(host, each.from.pvUuid, { ...of, vg: before.vg });
    await host.run(abortMove({ path, ...(await udevOf(host)) }));
    // The move may have ended meanwhile.
    return move(host, of, { piece: each, way });
  }
  const [from, to] = way === 'forth' ? [each.from, each.to] : [each.to, each.from];
  if (place !== (way === 'forth' ? 'here' : 'there')) {
    if (way === 'back') return;
    throw new RefusedError(`${of.vg}/${each.name} is no longer at its old place`, {
      remedy: 'see where the extents are now: pvs --segments -o +lv_name; then run the command again',
    });
  }
  const name = before.volumes.find(({ uuid }) => uuid === each.lvUuid)?.name ?? each.name;
  refuseTaken(before, { vg: of.vg, name, to, count: each.count });
  const source = await memberWith(host, from.pvUuid, { ...of, vg: before.vg });
  const target = await memberWith(host, to.pvUuid, { ...of, vg: before.vg });
  const at = ({ path }: PresentPv, { start }: Piece['from']) => ({ path, start, count: each.count });
  const places = { from: at(source, from), to: at(target, to) };
  const moves = pvmove({ vg: before.vg, name, ...places, ...(await udevOf(host)) });
  await whileAllocatable(host, target, () => host.run(moves));
  const after = await extentsNow(host, of);
  if (after === undefined || placeOf(after, each) !== (way === 'forth' ? 'there' : 'here'))
    throw new RefusedError(`pvmove did not move the extents of ${before.vg}/${name} from ${source.path}`, {
      remedy: `see where the extents are: pvs --segments -o +lv_name ${before.vg}; then run the command again`,
    });
}

function refuseTaken(
  { runs, volumes }: Extents,
  {
    vg,
    name,
    to,
    count,
  }: {
    readonly vg: string;
    readonly name: string;
    readonly to: Piece['to'];
    readonly count: number;
  },
): void {
  const end = to.start + count;
  const takers = runs.flatMap((run) => {
    const inside = run.pvUuid === to.pvUuid && run.start < end && to.start < run.start + run.extents;
    return inside && run.of !== undefined ? [run.of.lvUuid] : [];
  });
  if (takers.length === 0) return;
  const names = takers.map((taker) => volumes.find(({ uuid }) => uuid === taker)?.fullName ?? taker);
  throw new RefusedError(
    `the extents ${to.start} to ${end - 1} of the physical volume ${to.pvUuid}, the place for ${vg}/${name}, belong to ${[...new Set(names)].join(' and ')} now`,
    {
      remedy:
        'move them: pvmove --alloc anywhere DEVICE:START-END; or remove that volume; then: bofh recover',
    },
  );
}

function volumesOf(vg: string, pieces: Undo['pieces']): readonly string[] {
  return [...new Set(pieces.map(({ name }) => `lv:${vg}/${topName(name)}`))];
}

/** Manual recovery of moved extents: move the same extents back, last ones first. */
function movedRecovery({
  vg,
  vgUuid,
  pvs,
  pieces,
}: {
  readonly vg: string;
  readonly vgUuid: string;
  readonly pvs: readonly { readonly device: string; readonly uuid: string }[];
  readonly pieces: readonly Piece[];
}): ManualRecovery {
  const place = ({ pvUuid, start }: Piece['from'], count: number): string => {
    const device = pvs.find(({ uuid }) => uuid === pvUuid)?.device ?? pvUuid;
    return range({ path: device, start, count });
  };
  const names = [...new Set(pieces.map(({ name }) => name))];
  const source = pvs[0]?.device ?? '';
  return {
    what: `extents of ${names.join(', ')} in ${vg} (uuid ${vgUuid}), moved off ${source} (uuid ${pvs[0]?.uuid ?? ''})`,
    look: [
      ['pvs', '--segments', '--options', 'pv_name,pv_uuid,pvseg_start,pvseg_size,lv_name'],
      ['lvs', '--all', '--options', 'lv_name,copy_percent,move_pv', vg],
    ],
    clear: [
      ['pvmove', '--abort', source],
      ...pieces
        .toReversed()
        .map(({ name, from, to, count }) => [
          ...['pvmove', '--name', `${vg}/${name}`],
          ...[place(to, count), place(from, count)],
        ]),
    ],
  };
}

// In the foreground: lvmpolld would continue in the background if pvmove is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Moves a run of extents of one volume to a free run of the same length. The run is within one
 * segment of the volume, so it ends up completely at one of the two. The volume may be in use.
 * pvmove accepts no `--select`, so compare the uuid before. If pvmove is killed, the kernel keeps
 * copying and the metadata keeps a volume `pvmove0`: `abortMove` reverts the move, the next
 * activation of the group continues it (pvmove(8), 2.03.16).
 */
export function pvmove(
  move: Udev & { readonly vg: string; readonly name: string; readonly from: Place; readonly to: Place },
): Command<void, 'change'> {
  const { vg, name, from, to } = move;
  const argv = ['--name', `${vg}/${name}`, '--interval', '1', range(from), range(to)];
  return { ...change('pvmove', argv, move, inForeground), stop: 'safe', progress: partMoved };
}

/** Aborts an unfinished move off a physical volume; also exits with 0 if there is none. */
export function abortMove(of: Udev & { readonly path: string }): Command<void, 'change'> {
  return change('pvmove', ['--abort', of.path], of, inForeground);
}

/** Reads the progress: `/dev/vdb: Moved: 12.34%`. */
function partMoved(output: string): number | undefined {
  const percent = [...output.matchAll(/: Moved: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
