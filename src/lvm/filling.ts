import { RefusedError } from '../core/errors.ts';
import type { LogicalVolume } from './objects.ts';

/** From so many percent on a pool or a snapshot is named in listings. */
export const nearLimit = 80;
/** From so many percent on nothing more is put into it. */
export const fullLimit = 95;

/** How near a pool or a snapshot is to the end of its room; undefined of a volume that has no such end. */
export type Filling = 'ok' | 'near' | 'full' | 'untold';

/**
 * Of a thin pool and of a classic snapshot: the fuller of data and metadata. `untold`: it is not active, or the kernel does
 * not count any more. A pool that is full fails the writes of all its volumes, a snapshot that is full is lost.
 */
export function fillingOf(lv: LogicalVolume, near: number = nearLimit): Filling | undefined {
  const isPool = isThinPool(lv);
  if (!isPool && !isClassicSnapshot(lv)) return undefined;
  if (lv.data === undefined || (isPool && lv.metadata === undefined)) return 'untold';
  const most = Math.max(lv.data, lv.metadata ?? 0);
  if (most >= fullLimit) return 'full';
  return most >= near ? 'near' : 'ok';
}

/** `data 97 %, metadata 12 %` */
export function filledInWords({ data, metadata }: LogicalVolume): string {
  const words = [
    ...(data === undefined ? [] : [`data ${data} %`]),
    ...(metadata === undefined ? [] : [`metadata ${metadata} %`]),
  ];
  return words.join(', ') || 'not told';
}

export function isThinPool({ layout }: LogicalVolume): boolean {
  return layout.includes('thin') && layout.includes('pool');
}

/** A copy-on-write snapshot, with room of its own for what changes. */
export function isClassicSnapshot({ role }: LogicalVolume): boolean {
  return role.includes('thicksnapshot');
}

/** A volume that lies in a thin pool, a snapshot or not. */
export function isThin(
  lv: LogicalVolume,
): lv is LogicalVolume & { readonly pool: NonNullable<LogicalVolume['pool']> } {
  return lv.layout.includes('thin') && lv.pool !== undefined;
}

/** Why nothing more may be written to something. */
export interface Full {
  readonly why: string;
  readonly remedy: string;
}

/** Why nothing may be put into a thin pool: it is full, or nobody can tell. Undefined: it may. */
export function whyFullPool(pool: LogicalVolume): Full | undefined {
  const filling = fillingOf(pool);
  if (filling === 'untold')
    return {
      why: `how full the pool ${pool.fullName} is cannot be told`,
      remedy:
        pool.active === true
          ? `look at it: lvs -a -o +lv_health_status ${pool.fullName}; man lvmthin`
          : `bofh lvm activate ${pool.fullName}; then give the command again`,
    };
  if (filling !== 'full') return undefined;
  return {
    why: `the pool ${pool.fullName} is full (${filledInWords(pool)})`,
    remedy:
      (pool.data ?? 0) >= fullLimit
        ? `give it room: bofh lvm pool resize ${pool.fullName} --size +10g; or remove what lies in it`
        : `give it room: bofh lvm pool resize ${pool.fullName} --metadata-size +1g`,
  };
}

/** RefusedError when nothing may be put into a thin pool. `what` is not done. */
export function refuseFullPool(pool: LogicalVolume, what: string): void {
  refuseFull(whyFullPool(pool), what);
}

/** Why nothing may be written to a classic snapshot or to its origin: it has no room left, and the next writes lose it. */
export function whyFullSnapshot(lv: LogicalVolume): Full | undefined {
  if (fillingOf(lv) !== 'full') return undefined;
  return {
    why: `the snapshot ${lv.fullName} is full (${filledInWords(lv)})`,
    remedy: `give it room while it is below 100 %: bofh lvm resize ${lv.fullName} +1g; at 100 % it is lost: bofh lvm remove ${lv.fullName}`,
  };
}

/** RefusedError when a classic snapshot has no room left. `what` is not done. */
export function refuseFullSnapshot(lv: LogicalVolume, what: string): void {
  refuseFull(whyFullSnapshot(lv), what);
}

/** RefusedError when there is a reason. `what` is not done. */
export function refuseFull(full: Full | undefined, what: string): void {
  if (full !== undefined)
    throw new RefusedError(`${full.why}: ${what} is not begun`, { remedy: full.remedy });
}
