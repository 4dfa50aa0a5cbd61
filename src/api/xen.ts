import { atomic, currentBofh, beginRecipe } from '../bofh.ts';
import type { Bytes } from '../core/units.ts';
import { startOptions, type StartOptions, startShape, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';
import {
  domainOf,
  guestNamed,
  heldGuests,
  mebibyte,
  rowsAfter,
  type StartedRow,
  timedRow,
} from './guests.ts';
import { callable, parsed } from '../core/request.ts';
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
export { allDomus, type Domu, type StartedRow } from './guests.ts';

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
  /** Those of its configuration; undefined if no config file is known. */
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
      ...(domain === undefined ? {} : { domid: domain.id }),
      ...(uuid === undefined ? {} : { uuid }),
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
 * Starts a configured guest in a sequence of its own. Does nothing if it runs already. Throws
 * RefusedError if it is paused, crashed or shutting down, or if a replicated disk is not connected
 * to the peer and `alone` is not set. Throws UsageError if no guest of that name is configured.
 */
export async function start(name: string, options: StartOptions = {}): Promise<{ readonly domid: number }> {
  return (await guestNamed(name)).start(parsed('vm.start', startOptions, options));
}

/** Returns a configured guest with its disks, network interfaces and domain. Throws UsageError as `start` does. */
export async function show(name: string): Promise<GuestDetails> {
  const domu = await guestNamed(name);
  const { disks, vifs, type, uuid } = await driver.readGuestConfig(currentBofh().host, domu.config);
  const domain = await domainOf(domu);
  const known = domain?.uuid ?? uuid;
  return {
    ...{ name, type, config: domu.config, disks, vifs, state: domain?.state ?? 'off' },
    ...(domain === undefined ? {} : { domid: domain.id }),
    ...(known === undefined ? {} : { uuid: known }),
    memory: domain === undefined ? domu.memory : domain.memoryMiB * mebibyte,
    vcpus: domain?.vcpus ?? domu.vcpus,
  };
}

/** A configured guest with what its configuration gives it. */
export type GuestDetails = GuestRow &
  Pick<driver.GuestConfig, 'type' | 'disks' | 'vifs'> & { readonly config: string };

const startAllOptions = z.strictObject({
  ...startShape,
  onRow: z.exactOptional(callable<(row: StartedRow) => void>()),
});

/**
 * Starts every configured guest that is not running, one after the other. One that fails does not
 * stop the others. After a signal no further guest is started, and their rows say so. A guest whose
 * undo is stuck has a row with `stuck`. `connectMs` limits, in milliseconds, the total wait for the
 * peers of all replicated disks (default: 30000).
 */
export async function startAll(
  options: StartOptions & {
    /** Called with the result of each guest, as soon as it is known. */
    readonly onRow?: (row: StartedRow) => void;
  } = {},
): Promise<readonly StartedRow[]> {
  beginRecipe('xen.startAll', 'alone');
  const { connectMs = 30_000, alone = false, onRow } = parsed('xen.startAll', startAllOptions, options);
  const begun = performance.now();
  const left = (): number => Math.max(0, connectMs - (performance.now() - begun));
  const { host, site, signals } = currentBofh();
  const { guests, problems } = await driver.guestConfigs(host, site.guestConfigDirs);
  const plan = driver.startAllPlan({
    guests,
    domains: await driver.domains(host),
    order: site.startOrder,
    held: await heldGuests(),
  });
  const { rows, tell } = rowsAfter(problems, onRow);
  for (const row of plan) {
    const guest = guests.find(({ name }) => name === row.name);
    const starting = row.action === 'start' && guest !== undefined;
    const why =
      starting && signals?.stop?.aborted === true ? 'not started: interrupted by a signal' : row.why;
    if (starting && why === undefined) tell(await startRow(row, guest.file, { connectMs: left(), alone }));
    else
      tell({
        name: row.name,
        was: row.was,
        now: row.was,
        seconds: 0,
        ...(why === undefined ? {} : { error: why }),
      });
  }
  return rows;
}

async function startRow(row: driver.StartRow, config: string, options: StartOptions): Promise<StartedRow> {
  return timedRow(row, 'running', () =>
    atomic(`xen start ${row.name}`, (tx) =>
      startVm(tx, { ...options, host: currentBofh().host, config, name: row.name }),
    ),
  );
}
