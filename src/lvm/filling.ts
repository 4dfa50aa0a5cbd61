import { RefusedError } from '../core/errors.ts';
import type { LogicalVolume } from './objects.ts';

/** Listings warn about a pool or snapshot at or above this usage, in percent. */
export const nearLimit = 80;
/** At or above this usage, in percent, bofh writes nothing more to a pool or snapshot. */
export const fullLimit = 95;

/** How full a pool or a snapshot is; undefined for a volume that cannot fill up. */
export type Filling = 'ok' | 'near' | 'full' | 'unknown';

/**
 * Returns the usage of a thin pool or classic snapshot: the fuller of data and metadata. `unknown`:
 * it is not active, or the kernel no longer counts. At 100 % a pool fails the writes of all its
 * volumes, and a snapshot is invalid.
 */
export function fillingOf(lv: LogicalVolume, near: number = nearLimit): Filling | undefined {
  const isPool = isThinPool(lv);
  if (!isPool && !isClassicSnapshot(lv)) return undefined;
  if (lv.data === undefined || (isPool && lv.metadata === undefined)) return 'unknown';
  const most = Math.max(lv.data, lv.metadata ?? 0);
  if (lv.covers === true && most < 100) return 'ok';
  if (most >= fullLimit) return 'full';
  return most >= near ? 'near' : 'ok';
}

/** Formats the usage: `data 97 %, metadata 12 %`. */
export function filledInWords({ data, metadata }: LogicalVolume): string {
  const words = [
    ...(data === undefined ? [] : [`data ${data} %`]),
    ...(metadata === undefined ? [] : [`metadata ${metadata} %`]),
  ];
  return words.join(', ') || 'usage unknown';
}

export function isThinPool({ layout }: LogicalVolume): boolean {
  return layout.includes('thin') && layout.includes('pool');
}

/** Whether a volume is a copy-on-write snapshot with its own space for changes. */
export function isClassicSnapshot({ role }: LogicalVolume): boolean {
  return role.includes('thicksnapshot');
}

/** Whether a volume is in a thin pool, as a snapshot or not. */
export function isThin(
  lv: LogicalVolume,
): lv is LogicalVolume & { readonly pool: NonNullable<LogicalVolume['pool']> } {
  return lv.layout.includes('thin') && lv.pool !== undefined;
}

/**
 * The other thin snapshots of the origin of a thin snapshot. When lvm merges one, it replaces the origin by it, and
 * the others have no origin any more (2.03.16): they stay as volumes, and cannot be merged.
 */
export function otherThinSnapshots(
  lv: LogicalVolume,
  all: readonly LogicalVolume[],
): readonly LogicalVolume[] {
  if (!isThin(lv) || lv.origin === undefined) return [];
  return all.filter(
    (other) => other.uuid !== lv.uuid && isThin(other) && other.origin?.uuid === lv.origin?.uuid,
  );
}

/** Reason why bofh must not write more to a pool or snapshot. */
export interface Full {
  readonly why: string;
  readonly remedy: string;
  /**
   * `remedy` with commands of lvm: bofh refuses its own commands on volumes that an unfinished sequence
   * has locked.
   */
  readonly byLvm?: string;
}

/**
 * Returns why nothing may be added to a thin pool: it is full, or its usage is unknown. Undefined:
 * it may.
 */
export function whyFullPool(pool: LogicalVolume): Full | undefined {
  const filling = fillingOf(pool);
  if (filling === 'unknown')
    return {
      why: `the usage of the pool ${pool.fullName} is unknown`,
      remedy:
        pool.active === true
          ? `see its state: lvs -a -o +lv_health_status ${pool.fullName}; man lvmthin`
          : `bofh lvm activate ${pool.fullName}; then run the command again`,
    };
  if (filling !== 'full') return undefined;
  return {
    why: `the pool ${pool.fullName} is full (${filledInWords(pool)})`,
    remedy:
      (pool.data ?? 0) >= fullLimit
        ? `give it more space: bofh lvm pool resize ${pool.fullName} --size +SIZE; or remove volumes from it`
        : `give it more space: bofh lvm pool resize ${pool.fullName} --metadata-size +SIZE`,
    byLvm: `give it more space: lvextend ${(pool.data ?? 0) >= fullLimit ? '--size' : '--poolmetadatasize'} +SIZE ${pool.fullName}`,
  };
}

/** RefusedError if a thin pool is full or its usage is unknown. `what` names the refused action. */
export function refuseFullPool(pool: LogicalVolume, what: string): void {
  refuseFull(whyFullPool(pool), what);
}

/**
 * Returns why nothing may be written to a classic snapshot or its origin: the snapshot is full, and
 * the next writes would lose it.
 */
export function whyFullSnapshot(lv: LogicalVolume): Full | undefined {
  if (fillingOf(lv) !== 'full') return undefined;
  return {
    why: `the snapshot ${lv.fullName} is full (${filledInWords(lv)})`,
    remedy: `give it more space while it is below 100 %: bofh lvm resize ${lv.fullName} +SIZE; or, if it has reached 100 % and is invalid: bofh lvm remove ${lv.fullName}`,
    byLvm: `give it more space while it is below 100 %: lvextend --size +SIZE ${lv.fullName}`,
  };
}

/** RefusedError if a classic snapshot is full. `what` names the refused action. */
export function refuseFullSnapshot(lv: LogicalVolume, what: string): void {
  refuseFull(whyFullSnapshot(lv), what);
}

/** RefusedError if `full` contains a reason. `what` names the refused action. */
export function refuseFull(full: Full | undefined, what: string): void {
  if (full !== undefined)
    throw new RefusedError(`${full.why}: ${what} is not started`, { remedy: full.remedy });
}
