import { atomic, currentBofh, beginRecipe } from '../bofh.ts';
import type { Bytes } from '../core/units.ts';
import { startOptions, type StartOptions, startShape, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';
import {
  domainOf,
  eachShape,
  guestNamed,
  leftRow,
  mebibyte,
  onEachGuest,
  type PowerRow,
  timedRow,
} from './guests.ts';
import { parsed } from '../core/request.ts';
import { present } from '../core/present.ts';
import * as z from 'zod/mini';

export {
  pause,
  restart,
  resume,
  stop,
  stopAll,
  type StopOptions,
  wait,
  type WaitOptions,
} from './guest-power.ts';
export { allDomus, type Domu, type PowerRow } from './guests.ts';

/** A guest that has a configuration, a domain, or both. */
export interface GuestRow {
  readonly name: string;
  readonly state: driver.DomainState | 'off';
  readonly domid?: number;
  readonly uuid?: string;
  readonly memory: Bytes;
  readonly vcpus: number;
  /** Undefined if no config file is known. */
  readonly config?: string;
  /** The disks in its configuration; undefined if no config file is known. */
  readonly disks?: readonly driver.GuestConfig['disks'][number][];
}

/** Returns every guest, and the config files that cannot be read. */
export async function list(): Promise<{
  readonly guests: readonly GuestRow[];
  readonly problems: readonly driver.ConfigProblem[];
}> {
  const { host, site } = currentBofh();
  const { guests, problems } = await driver.guestConfigs(host, site.guestConfigDirs);
  const domains = await driver.guestDomains(host);
  const configured = guests.map((guest): GuestRow => {
    const domain = domains.find(({ name }) => name === guest.name);
    const uuid = domain?.uuid ?? guest.uuid;
    return {
      name: guest.name,
      state: domain?.state ?? 'off',
      ...present({ domid: domain?.id, uuid }),
      memory: (domain?.memoryMiB ?? guest.memoryMiB) * mebibyte,
      vcpus: domain?.vcpus ?? guest.vcpus,
      config: guest.file,
      disks: guest.disks,
    };
  });
  const others = domains
    .filter(({ name }) => !guests.some((guest) => guest.name === name))
    .map(
      ({ name, state, id, uuid, memoryMiB, vcpus }): GuestRow => ({
        name: name ?? '(null)',
        state,
        domid: id,
        uuid,
        memory: memoryMiB * mebibyte,
        vcpus,
      }),
    );
  return { guests: [...configured, ...others], problems };
}

/**
 * Starts a configured guest in a sequence of its own. Does nothing if it already runs. Throws RefusedError if
 * it is paused, crashed or shutting down, or if a replicated disk is not connected to the peer and `alone` is
 * not set. Throws UsageError if no guest of that name is configured.
 */
export async function start(name: string, options: StartOptions = {}): Promise<{ readonly domid: number }> {
  const how = parsed('vm.start', startOptions, options);
  return (await guestNamed('vm.start', name)).start(how);
}

/** Returns a configured guest with its disks, network interfaces and domain. Throws UsageError as `start` does. */
export async function show(name: string): Promise<GuestDetails> {
  const domu = await guestNamed('vm.show', name);
  const { disks, vifs, type, uuid } = await driver.readGuestConfig(currentBofh().host, domu.config);
  const domain = await domainOf(domu);
  const known = domain?.uuid ?? uuid;
  return {
    ...{ name, type, config: domu.config, disks, vifs, state: domain?.state ?? 'off' },
    ...present({ domid: domain?.id, uuid: known }),
    memory: domain === undefined ? domu.memory : domain.memoryMiB * mebibyte,
    vcpus: domain?.vcpus ?? domu.vcpus,
  };
}

/** A configured guest with the details from its configuration. */
export type GuestDetails = GuestRow &
  Pick<driver.GuestConfig, 'type' | 'disks' | 'vifs'> & { readonly config: string };

const startAllOptions = z.strictObject({
  ...startShape,
  ...eachShape,
  /** Only the guests that start at boot: those with a link in /etc/xen/auto (default: false). */
  autostart: z.exactOptional(z.boolean()),
});

/**
 * Starts every configured guest that is not running: those of the site's `startOrder` one by one, then the
 * others, several at a time. A failure does not affect the other guests. After a signal no further guest is
 * started, and their rows say so. A guest whose undo is stuck has a row with `stuck`. `connectMs` limits, in
 * milliseconds, the total wait for the peers of all replicated disks (default: 30000).
 *
 * @returns a row for each guest, in the order in which they are started.
 */
export async function startAll(
  options: Readonly<z.input<typeof startAllOptions>> = {},
): Promise<readonly PowerRow[]> {
  beginRecipe('xen.startAll', 'alone');
  const { connectMs = 30_000, alone = false, ...each } = parsed('xen.startAll', startAllOptions, options);
  const begun = performance.now();
  const left = (): number => Math.max(0, connectMs - (performance.now() - begun));
  const { signals } = currentBofh();
  return await onEachGuest({ ...each, backwards: false }, async (row, file) => {
    if (row.action !== 'start' || file === undefined) return leftRow(row, row.why);
    if (signals?.stop?.aborted === true) return leftRow(row, 'not started: interrupted by a signal');
    return await startRow(row, file, { connectMs: left(), alone });
  });
}

async function startRow(row: driver.StartRow, config: string, options: StartOptions): Promise<PowerRow> {
  return timedRow(row, 'running', () =>
    atomic(`xen start ${row.name}`, (tx) =>
      startVm(tx, { ...options, host: currentBofh().host, config, name: row.name }),
    ),
  );
}
