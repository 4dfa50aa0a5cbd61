import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { snapshotRecovery } from '../manual-recovery-snapshot.ts';
import { lvsnapshot } from '../snapshot-commands.ts';
import { wholeRoom } from '../covering.ts';
import { isClassicSnapshot, isThin, refuseFullPool } from '../filling.ts';
import { checkLvName, checkTag } from '../names.ts';
import { syncGroup, udevOf, usableVg, volumesOf } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { extents, refuseFull, wantedExtents } from './extents.ts';
import { volumeNamed } from './known-volume.ts';
import { findCreated, createdVolume, removeCreated } from './created-volume.ts';
import { refuseTaken } from './refuse-taken.ts';
import { inactive, volumeChanged, volumeWitness, whileActive } from './volume-content.ts';
import { sizeOption } from '../../core/request.ts';
import { present } from '../../core/present.ts';

const args = z.strictObject({
  /** The volume group of origin and snapshot. */
  vg: z.string(),
  /** The volume to snapshot. */
  origin: z.string(),
  /** UUID of the origin. Refused if its name now names another volume. */
  originUuid: z.exactOptional(z.string()),
  /** Name of the new snapshot. */
  name: z.string(),
  /**
   * Space of a classic snapshot for changes; or `extents`. Neither: a thin snapshot of a thin
   * volume.
   */
  size: z.exactOptional(sizeOption),
  /** As for `createLv`; or a share of the origin, rounded up: `20%ORIGIN`. */
  extents: z.exactOptional(extents),
  /**
   * Activates a thin snapshot, now and at boot (default: false). A classic one is active with its
   * origin.
   */
  active: z.exactOptional(z.boolean()),
  /**
   * A later step of the sequence writes to the snapshot (default: false). From then on the undo
   * does not compare its content, so writes of others to it are lost too.
   */
  written: z.exactOptional(z.boolean()),
  /** Tags of your own, without the `@`. */
  tags: z.exactOptional(z.array(z.string())),
});

const undo = z.extend(createdVolume, {
  origin: z.strictObject({ name: z.string(), uuid: z.string() }),
  sort: z.enum(['classic', 'thin']),
  /** Only for a classic snapshot: the requested extents; lvm gives no more than it can use. */
  extents: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** Only for a thin snapshot. */
  pool: z.exactOptional(z.string()),
  written: z.exactOptional(z.literal(true)),
});

type Undo = z.infer<typeof undo>;

/**
 * Creates a snapshot of a logical volume: a classic one with its own space for changes, or a thin
 * one of a thin volume. The snapshot has the tag of its step from the first moment, and undo
 * removes only the volume with that tag. A thin one is not activated, now or at boot, unless
 * requested.
 */
export const createSnapshot = operation({
  kind: 'lvm.snapshot.create',
  version: 1,
  args,
  undo,
  result: z.strictObject({ uuid: z.string(), size: z.number(), active: z.boolean() }),
  lives: 'disk',
  keepsContent: true,
  restores: 'state',
  prepare: async ({
    args: { vg: group, origin, originUuid, name, size, extents, written, tags = [] },
    mark,
    host,
  }) => {
    checkLvName(group, name);
    tags.forEach(checkTag);
    const roomIn = roomOf(`${group}/${name}`, { size, extents });
    const vg = await usableVg(host, group);
    const of = volumeNamed(vg, { name: origin, ...present({ uuid: originUuid }) });
    refuseOrigin(of);
    await refuseTaken(host, vg, { name });
    const made = {
      ...{ vg: group, vgUuid: vg.uuid, name, tag: mark, origin: { name: origin, uuid: of.uuid } },
      ...(written === true ? { written } : {}),
    };
    if (roomIn === undefined) {
      const pool = poolOf(vg, of);
      refuseFullPool(pool, `the snapshot ${group}/${name}`);
      return { ...made, sort: 'thin' as const, pool: pool.name };
    }
    const room = roomIn(vg, of);
    refuseFull(vg, { name, extents: room });
    return { ...made, sort: 'classic' as const, extents: room };
  },
  claims: ({ undo: { vg, name, origin, pool } }) => ({
    makes: [`lv:${vg}/${name}`],
    needs: [`vg:${vg}`, `lv:${vg}/${origin.name}`, ...(pool === undefined ? [] : [`lv:${vg}/${pool}`])],
  }),
  contains: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  run: async ({ args: { tags = [], active = false }, undo: of, host }) => {
    await refuseOther(host, of);
    const { vg, vgUuid, name, tag, origin, extents } = of;
    const asked = { vg, origin: origin.name, name, extents, active, tags: [tag, ...tags] };
    await host.run(lvsnapshot({ ...asked, ...(await udevOf(host)) }));
    const made = (await volumesOf(host, vgUuid))?.find((lv) => lv.tags.includes(tag));
    if (made?.name !== name)
      throw new RefusedError(`lvcreate created no ${vg}/${name} with the tag of this step`, {
        remedy: `see what is there: lvs -o lv_name,lv_uuid,lv_tags ${vg}`,
      });
    if (made.origin?.uuid !== origin.uuid)
      throw new RefusedError(
        `${vg}/${name} is a snapshot of ${made.origin?.name ?? 'nothing'}, not of the volume with the uuid ${origin.uuid}`,
        { remedy: `look at it: lvs -o +origin,origin_uuid ${vg}/${name}` },
      );
    return { uuid: made.uuid, size: made.size, active: made.active === true };
  },
  value: ({ undo: { vg, name }, result }) => ({ vg, name, path: `/dev/${vg}/${name}`, ...result }),
  look: async ({ undo: of, result, host }) => (await findCreated(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => removeCreated(host, of, result?.uuid),
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, result, host }) => {
      const { lv } = await findCreated(host, of, result?.uuid);
      return lv === undefined ? undefined : volumeWitness(host, lv);
    },
    changed: async ({ undo: of, result, witness, touched, filled, host }) => {
      const { lv, all } = await findCreated(host, of, result?.uuid);
      if (lv === undefined || filled === 'now') return undefined;
      // Writes of the sequence cannot be distinguished from those of others.
      if (of.written === true && touched) return volumeChanged(host, lv, undefined);
      if (witness !== undefined && witness !== inactive) {
        // lvm activates a classic snapshot with its origin.
        const first = isClassicSnapshot(lv) ? all.find(({ uuid }) => uuid === of.origin.uuid) : lv;
        const active = lv.active === 'unknown' ? lv.active : true;
        return whileActive(host, first ?? lv, () => volumeChanged(host, { ...lv, active }, witness));
      }
      // The snapshot, or its activation, was interrupted: its content is that of the origin until
      // the origin is written to.
      const origin = all.find(({ uuid }) => uuid === of.origin.uuid);
      return volumeChanged(host, lv, origin === undefined ? witness : await volumeWitness(host, origin));
    },
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: snapshotRecovery,
});

/**
 * Returns the size of a classic snapshot in extents, once group and origin are known; undefined: a
 * thin one.
 */
function roomOf(
  what: string,
  {
    size,
    extents,
  }: { readonly size?: string | number | undefined; readonly extents?: string | number | undefined },
): ((vg: WholeGroup, origin: LogicalVolume) => number) | undefined {
  if (size === undefined && extents === undefined) return undefined;
  const share = /^(?<percent>[1-9]\d{0,2})%ORIGIN$/.exec(String(extents ?? ''))?.groups?.percent;
  if (share === undefined || size !== undefined) return wantedExtents(what, { size, count: extents });
  if (Number(share) > 100) throw new UsageError(`${what}: the size of a snapshot may be at most 100%ORIGIN`);
  return ({ extentSize }, origin) => {
    const whole = Number(share) === 100 ? wholeRoom(origin.size) : undefined;
    return Math.ceil((whole ?? (origin.size * Number(share)) / 100) / extentSize);
  };
}

/** RefusedError for a volume of which lvm cannot create a snapshot. */
function refuseOrigin(lv: LogicalVolume): void {
  if (lv.role.includes('private'))
    throw new RefusedError(`${lv.fullName} is part of another volume, or a pool (${lv.layout.join(', ')})`, {
      remedy: 'use the volume that contains it, or a thin volume of the pool: bofh lvm list',
    });
  if (isClassicSnapshot(lv))
    throw new RefusedError(`${lv.fullName} is a classic snapshot: lvm cannot create a snapshot of it`, {
      remedy: `take another snapshot of its origin, ${lv.vg}/${lv.origin?.name ?? ''}`,
    });
  if (lv.merging)
    throw new RefusedError(`a snapshot is being merged into ${lv.fullName}`, {
      remedy: `wait until it ends: lvs -a -o +lv_merging,copy_percent ${lv.vg}`,
    });
}

function poolOf({ name, volumes }: WholeGroup, lv: LogicalVolume): LogicalVolume {
  if (!isThin(lv))
    throw new UsageError(`${lv.fullName} is not a thin volume: its snapshot needs a size`, {
      remedy: 'pass a size, or a share of the origin, for example 20%ORIGIN',
    });
  const pool = volumes.find(({ uuid }) => uuid === lv.pool.uuid);
  if (pool !== undefined) return pool;
  throw new RefusedError(`the pool of ${lv.fullName} is not in the group ${name}`, {
    remedy: `look at it: lvs -a -o +pool_lv_uuid ${name}`,
  });
}

async function refuseOther(host: ReadHost, { vg, vgUuid, origin, pool, name }: Undo): Promise<void> {
  const now = await usableVg(host, vg);
  const lv = now.volumes.find((one) => one.name === origin.name);
  if (now.uuid !== vgUuid || lv?.uuid !== origin.uuid)
    throw new RefusedError(`${vg}/${origin.name} is another volume now; nothing was created`, {
      remedy: 'look at it: bofh lvm list; then run the command again',
    });
  if (pool !== undefined) refuseFullPool(poolOf(now, lv), `the snapshot ${vg}/${name}`);
}
