import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { refuseUnknownActivation } from '../reads.ts';
import type { LogicalVolume, PhysicalVolume, WholeGroup } from '../objects.ts';
import { usableVg } from '../reads.ts';
import { volumeNamed } from './known-volume.ts';
import { type PresentPv, toKnown } from './known-pvs.ts';
import { type Extents, extentsOf, isMove, leavingRuns, planMoves, topName } from './moves.ts';
import { pvOn } from './physical.ts';

/** The extents to move, their device, and the allowed targets. */
export interface AskedMove {
  readonly device: string;
  readonly to?: readonly string[];
  readonly volume?: { readonly vg: string; readonly name: string };
}

/** Makes every check that can refuse the move, and chooses the target of each extent. */
export async function plannedMove(host: ReadHost, asked: AskedMove) {
  const { pv, vg, extents, only } = await found(host, asked);
  const leaving = leavingRuns(extents, { pvUuid: pv.uuid, only });
  if (leaving.length === 0)
    throw new RefusedError(`${asked.device} has no extents to move`, {
      remedy: 'see the extents: pvs --segments -o +lv_name',
    });
  for (const { lv } of leaving) refuseUnmovable(lv);
  const onto = await targets(host, asked, { pv, vg, extents });
  const pieces = planMoves(extents, { leaving, onto, extentSize: vg.extentSize });
  const used = onto.filter(({ uuid }) => pieces.some(({ to }) => to.pvUuid === uuid));
  const devices = [asked.device, ...used.map(({ path }) => path)];
  return { vg: vg.name, vgUuid: vg.uuid, pvs: await toKnown(host, devices, [pv, ...used]), pieces };
}

/** Returns the answer for a device without extents to move; undefined if it has some. */
export async function alreadyMoved(
  host: ReadHost,
  asked: AskedMove,
): Promise<{ device: string; uuid: string; extents: number; volumes: string[] } | undefined> {
  const { pv, extents, only } = await found(host, asked);
  const isEmpty = leavingRuns(extents, { pvUuid: pv.uuid, only }).length === 0;
  return isEmpty ? { device: asked.device, uuid: pv.uuid, extents: 0, volumes: [] } : undefined;
}

async function found(host: ReadHost, { device, volume }: AskedMove) {
  const pv = await pvOn(host, device);
  if (pv.vg === undefined)
    throw new RefusedError(`${device} is in no volume group, so it has no extents`, {
      remedy: 'see which device is in which group: bofh lvm pv list',
    });
  const vg = await usableVg(host, pv.vg.name);
  const extents = await extentsOf(host, vg);
  refuseMoving(vg, extents);
  if (volume === undefined) return { pv, vg, extents, only: undefined };
  if (volume.vg !== vg.name)
    throw new UsageError(
      `${device} is in the group ${vg.name}, but ${volume.vg}/${volume.name} is in another group`,
    );
  return { pv, vg, extents, only: volumeNamed(vg, volume) };
}

/**
 * RefusedError if a move in the group is running or was interrupted, also one of another process:
 * lvm skips extents that are already moving, and an interrupted move must be resumed first.
 */
function refuseMoving(vg: WholeGroup, { volumes }: Extents): void {
  const move = volumes.find(isMove);
  if (move === undefined) return;
  throw new RefusedError(
    `extents of ${vg.name} are being moved, or a move was interrupted: ${move.fullName}`,
    {
      remedy:
        'wait until it ends: lvs -a -o +copy_percent,move_pv; or if it was interrupted, resume it: pvmove',
    },
  );
}

const parts = /_(?:tdata|tmeta|(?:rimage|rmeta)_\d+)$/;

/**
 * RefusedError for volumes that lvm moves only after activation, and for moves that bofh cannot
 * undo.
 */
function refuseUnmovable(lv: LogicalVolume): void {
  refuseUnknownActivation(lv);
  if (lv.role.includes('spare'))
    throw new RefusedError(
      `the device contains ${lv.fullName}, the spare metadata volume of lvm: bofh does not move it`,
      {
        remedy: `lvm creates another one with the next pool; remove this one: lvremove ${lv.fullName}`,
      },
    );
  const isKnown = !lv.role.includes('private') || parts.test(lv.name);
  if (!isKnown || !['linear', 'striped'].some((each) => lv.layout.includes(each)))
    throw new RefusedError(
      `${lv.fullName} cannot be moved by bofh, because it is ${[...lv.layout, ...lv.role].join(', ')}`,
      { remedy: 'move it without an undo: man pvmove' },
    );
  if (lv.active !== true)
    throw new RefusedError(`${lv.fullName} is not active, and lvm would activate it to move it`, {
      remedy: `bofh lvm activate ${lv.vg}/${topName(lv.name)}; then run the command again`,
    });
}

interface Source {
  readonly pv: PhysicalVolume;
  readonly vg: WholeGroup;
  readonly extents: Extents;
}

async function targets(
  host: ReadHost,
  { to }: AskedMove,
  { pv, vg, extents }: Source,
): Promise<readonly PresentPv[]> {
  if (to === undefined)
    return extents.devices.flatMap(({ path, ...other }) =>
      path !== undefined && other.allocatable && other.uuid !== pv.uuid ? [{ ...other, path }] : [],
    );
  const named: PresentPv[] = [];
  for (const device of to) {
    const target = await pvOn(host, device);
    refuseTarget(device, { target, source: pv, vg, named });
    named.push(target);
  }
  return named;
}

function refuseTarget(
  device: string,
  of: {
    readonly target: PhysicalVolume;
    readonly source: PhysicalVolume;
    readonly vg: WholeGroup;
    readonly named: readonly PhysicalVolume[];
  },
): void {
  const { target, source, vg, named } = of;
  if (target.uuid === source.uuid)
    throw new UsageError(`${device} cannot be a target: it is the device that the extents leave`);
  if (named.some(({ uuid }) => uuid === target.uuid))
    throw new UsageError(`${device} is named twice: it is the physical volume ${target.uuid}`);
  if (target.vg?.uuid !== vg.uuid)
    throw new RefusedError(`${device} is not in the volume group ${vg.name}`, {
      remedy:
        target.vg === undefined
          ? `add it first: bofh lvm vg extend ${vg.name} ${device}`
          : 'name a device of that group: bofh lvm pv list',
    });
  if (!target.allocatable)
    throw new RefusedError(`${device} is not allocatable`, {
      remedy: `pvchange --allocatable y ${device}; or name another device`,
    });
}
