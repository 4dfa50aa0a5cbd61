import { until } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { volumeNamed } from './operations/known-volume.ts';
import { usableVg } from './reads.ts';

/**
 * Waits until all copies of a raid are in sync. Calls `tell` with the part that is in sync, from 0
 * to 1. RefusedError if the volume is degraded or no longer a raid.
 */
export async function waitSynced(
  host: ReadHost,
  {
    vg,
    name,
    tell,
  }: {
    /** The volume group. */
    readonly vg: string;
    /** Name of the volume in its group. */
    readonly name: string;
    /** Called with the part that is in sync, from 0 to 1. */
    readonly tell?: (part: number) => void;
  },
): Promise<void> {
  const check = async (): Promise<boolean> => {
    const { synced, health, fullName } = volumeNamed(await usableVg(host, vg), { name });
    if (health !== undefined || synced === undefined)
      throw new RefusedError(
        `the copies of ${fullName} are not being synchronized (${health ?? 'it is not a RAID volume'})`,
        {
          remedy: `look at it: lvs -a -o +lv_health_status,copy_percent,devices ${vg}; man lvmraid`,
        },
      );
    tell?.(synced / 100);
    return synced === 100;
  };
  await until({ check, limitMs: Infinity });
}
