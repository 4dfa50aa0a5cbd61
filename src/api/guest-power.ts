import * as z from 'zod/mini';
import { until } from '../blockdevice/index.ts';
import { currentBofh, beginRecipe, single } from '../bofh.ts';
import { RefusedError } from '../core/errors.ts';
import { type StartOptions, startShape, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';
import {
  domainOf,
  type Domu,
  eachShape,
  guestNamed,
  leftRow,
  onEachGuest,
  type PowerRow,
  timedRow,
} from './guests.ts';
import { present } from '../core/present.ts';
import { naming } from '../core/checks.ts';
import { milliseconds, parsed } from '../core/request.ts';
import { option } from '../core/option.ts';

const stopShape = {
  /** Time limit of the shutdown, in milliseconds (default: 300000). */
  timeoutMs: z.exactOptional(milliseconds),
  /**
   * When to power the guest off hard. `late`: if it has not shut down in time. `at once`: without a shutdown
   * (default: `never`).
   */
  forceOff: z.exactOptional(z.enum(['never', 'late', 'at once'])),
};

const stopOptions = z.strictObject(stopShape);
const restartOptions = z.strictObject({ ...stopShape, ...startShape });
const stopAllOptions = z.strictObject({ ...stopShape, ...eachShape });

/** How a guest is stopped. */
export type StopOptions = Readonly<z.input<typeof stopOptions>>;

const endings = { never: 'shutdown', late: 'shutdown or destroy', 'at once': 'destroy' } as const;

/**
 * Shuts down a configured guest in a sequence of its own. Does nothing if it is off. Throws RefusedError if
 * it is paused or crashed; CommandError with the reason `timeout` if it has not shut down in time; UsageError
 * if no guest of that name is configured.
 *
 * @returns `changed`: false if the guest was off.
 */
export async function stop(name: string, options: StopOptions = {}): Promise<{ readonly changed: boolean }> {
  const how = parsed('vm.stop', stopOptions, options);
  const domu = await guestNamed('vm.stop', name);
  const domain = await domainOf(domu);
  if (domain === undefined) return { changed: false };
  await single(`vm stop ${name}`, (tx) => tx.xen.shutdown(ending(domu, domain, how)), ['xen']);
  return { changed: true };
}

/**
 * Shuts down a configured guest and starts it again, in one sequence; a guest that is off is started. If its
 * kernel, a disk, a bridge or memory is missing, it is not shut down. If it then cannot be started, the undo
 * tries again to start it, from the same configuration file. Throws as `stop` and `start` do.
 */
export async function restart(
  name: string,
  options: StopOptions & StartOptions = {},
): Promise<{ readonly domid: number }> {
  const { timeoutMs, forceOff, ...how } = parsed('vm.restart', restartOptions, options);
  const domu = await guestNamed('vm.restart', name);
  const domain = await domainOf(domu);
  if (domain === undefined) return domu.start(how);
  const { host } = currentBofh();
  if (domain.state === 'running' || domain.state === 'paused')
    await naming('vm.restart', { name }, async () =>
      driver.refuseUnrestartable(host, await driver.readGuestConfig(host, domu.config), domain),
    );
  return single(`vm restart ${name}`, async (tx) => {
    await tx.xen.shutdown(ending(domu, domain, present({ timeoutMs, forceOff })));
    return startVm(tx, { ...how, host, config: domu.config, name });
  });
}

/**
 * Stops the virtual CPUs of a configured guest, which keeps its memory, in a sequence of its own. Does
 * nothing if it is paused. Throws RefusedError if it is not running, UsageError if no guest of that name is
 * configured.
 *
 * @returns `changed`: false if the guest was paused.
 */
export async function pause(name: string): Promise<{ readonly changed: boolean }> {
  return setPaused(name, 1);
}

/**
 * Lets the virtual CPUs of a paused guest run again, in a sequence of its own. Does nothing if the guest
 * runs. Throws as `pause` does.
 */
export async function resume(name: string): Promise<{ readonly changed: boolean }> {
  return setPaused(name, 0);
}

const waitOptions = z.strictObject({
  for: z.enum(['running', 'stopped']),
  timeoutMs: z.exactOptional(milliseconds),
});

/** The options of `wait`. With `stopped` the domain is gone, so the disks of the guest will be free soon. */
export interface WaitOptions {
  /** `running`: wait until the guest runs. `stopped`: wait until its domain is gone. */
  readonly for: 'running' | 'stopped';
  /** How long to wait, in milliseconds (default: 300000). */
  readonly timeoutMs?: number;
}

/**
 * Waits until a configured guest runs, or until it has no domain. Throws RefusedError with the code `timeout`
 * if the time limit is over, UsageError if no guest of that name is configured.
 */
export async function wait(name: string, options: WaitOptions): Promise<{ readonly domid?: number }> {
  const { for: wanted, timeoutMs = 300_000 } = parsed('vm.wait', waitOptions, options);
  const domu = await guestNamed('vm.wait', name);
  let domain: driver.Domain | undefined;
  const check = async (): Promise<boolean> => {
    domain = await domainOf(domu);
    return wanted === 'stopped' ? domain === undefined : domain?.state === 'running';
  };
  if (await until({ check, limitMs: timeoutMs })) return present({ domid: domain?.id });
  const state = domain === undefined ? 'off' : driver.describe(domain);
  throw new RefusedError(`${name} is not ${wanted} after ${timeoutMs / 1000} s: it is ${state}`, {
    code: 'timeout',
    remedy: `bofh vm show ${name}; or wait longer: ${option('--time', 'timeoutMs')}`,
  });
}

async function setPaused(name: string, to: 0 | 1): Promise<{ readonly changed: boolean }> {
  const domain = await domainOf(await guestNamed(to === 1 ? 'vm.pause' : 'vm.resume', name));
  if (domain === undefined) throw new RefusedError(`${name} is off`, { remedy: `bofh vm start ${name}` });
  if (domain.state === (to === 1 ? 'paused' : 'running')) return { changed: false };
  const { uuid } = domain;
  await single(`vm ${to === 1 ? 'pause' : 'resume'} ${name}`, (tx) =>
    tx.xen.set({ name, uuid, setting: 'paused', to }),
  );
  return { changed: true };
}

/**
 * Shuts down every configured guest that runs, in the reverse order of `startAll`: first the others, several
 * at a time, then those of the site's `startOrder`, one by one. A failure does not affect the other guests.
 * After a signal no further guest is stopped, and their rows say so.
 *
 * @returns a row for each guest, in the order in which they are stopped.
 */
export async function stopAll(
  options: Readonly<z.input<typeof stopAllOptions>> = {},
): Promise<readonly PowerRow[]> {
  beginRecipe('xen.stopAll', 'alone');
  const { onRow, parallel, ...how } = parsed('xen.stopAll', stopAllOptions, options);
  const { signals } = currentBofh();
  return await onEachGuest({ ...present({ onRow, parallel }), backwards: true }, async (row) => {
    if (row.was === 'off' || row.was === 'unknown')
      return leftRow(row, row.was === 'off' ? undefined : row.why);
    if (signals?.stop?.aborted === true) return leftRow(row, 'not stopped: interrupted by a signal');
    return await timedRow(row, 'off', () => stop(row.name, how));
  });
}

function ending(domu: Domu, domain: driver.Domain, { timeoutMs, forceOff = 'never' }: StopOptions) {
  return {
    ...{ name: domu.name, uuid: domain.uuid, config: domu.config, how: endings[forceOff] },
    ...present({ timeoutMs }),
  };
}
