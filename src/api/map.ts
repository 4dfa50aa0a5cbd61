import { whyUnreadable } from '../blockdevice/unreadable.ts';
import { currentBofh } from '../bofh.ts';
import { BofhError } from '../core/errors.ts';
import { lvs, vgs } from '../lvm/index.ts';
import { hostMapOf } from '../map/host-map.ts';
import type { HostMap } from '../map/schema.ts';
import { tree } from '../stack/index.ts';
import { list } from './xen.ts';

export type { HostMap, MapDevice } from '../map/schema.ts';

/**
 * Returns the host at a glance: volume groups with their volumes, other devices, and guests. Each device is
 * shown with everything on it, up to the directory or the guest. Sizes are in bytes. Opens, activates and
 * changes nothing. `unknown` lists everything that cannot be read, for example without root or because a
 * program is not installed.
 */
export async function hostMap(): Promise<HostMap> {
  const { host, site } = currentBofh();
  const unknown: string[] = [];
  const unless = async <T>(what: string, ask: () => Promise<T>, none: T): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      unknown.push(`${what}: ${whyUnreadable(error)}`);
      return none;
    }
  };
  const { hostname } = await host.facts();
  const [stack, groups, volumes, { guests }] = await Promise.all([
    tree({ host, configDirs: site.guestConfigDirs }),
    unless('volume groups', () => vgs(host), []),
    unless('logical volumes', () => lvs(host), []),
    unless('guests', () => list(), { guests: [], problems: [] }),
  ]);
  return hostMapOf({
    ...{ host: hostname, at: new Date(), tree: stack, groups, volumes, unknown },
    guests: guests.map(({ name, state, memory, vcpus, disks = [] }) => ({
      ...{ name, state, memory, vcpus },
      disks: disks.map(({ path, target }) => path ?? target),
    })),
  });
}
