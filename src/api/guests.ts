import { openJournals } from '../atomic/recovery/recover.ts';
import { exclusive, type Step } from '../atomic/journal/state.ts';
import { currentBofh, single } from '../bofh.ts';
import { BofhError, StuckError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import type { ReadHost } from '../command/index.ts';
import { autostartLinks } from '../vm/autostart.ts';
import { guestIn } from '../vm/configured.ts';
import { type StartOptions, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';
import { checkText, naming } from '../core/checks.ts';
import { present } from '../core/present.ts';
import { callable } from '../core/request.ts';
import { turns } from '../host/turns.ts';
import * as z from 'zod/mini';

/** Bytes of a MiB, the unit of xl. */
export const mebibyte = 1024 ** 2;

/** A configured guest. */
export interface Domu extends Omit<driver.Domu, 'memoryMiB'> {
  readonly memory: Bytes;
  /**
   * Returns whether the domain of the guest runs; false if it is paused, half-built, crashed or shutting
   * down.
   */
  isRunning(): Promise<boolean>;
  /** Starts the guest in a sequence of its own. */
  start(options?: StartOptions): Promise<{ readonly domid: number }>;
}

/** Result of `startAll` or `stopAll` for one guest. */
export interface PowerRow {
  readonly name: string;
  readonly was: driver.StartRow['was'];
  readonly now: driver.StartRow['was'];
  readonly seconds: number;
  readonly error?: string;
  /** Set if the undo is stuck or the cleanup is unfinished: names what is left. */
  readonly stuck?: StuckError;
}

/**
 * Returns every configured guest, by name. Throws a UsageError that names each file that is not a guest
 * configuration.
 */
export async function allDomus(): Promise<readonly Domu[]> {
  const { host, site } = currentBofh();
  return (await driver.allDomus({ host, configDirs: site.guestConfigDirs })).map(withMethods);
}

function withMethods({ memoryMiB, ...domu }: driver.Domu): Domu {
  return {
    ...domu,
    memory: memoryMiB * mebibyte,
    isRunning: () => driver.isRunning({ host: currentBofh().host, domu }),
    start: (options) => startDomu(domu, options),
  };
}

/**
 * Returns the configured guest of this name. Throws RefusedError if it has no configuration, or
 * more than one; the error names the method that was called with it.
 */
export async function guestNamed(method: string, name: string): Promise<Domu> {
  return naming(method, { name }, () => configuredGuest(name));
}

async function configuredGuest(name: string): Promise<Domu> {
  checkText('the name of the guest', name);
  const { host, site } = currentBofh();
  return withMethods(driver.domuOf((await guestIn(host, { name, site })).guest));
}

export async function domainOf({ name, uuid }: Domu): Promise<driver.Domain | undefined> {
  const found = await driver.guestDomains(currentBofh().host, (each) => each.name === name);
  return found.find((each) => uuid === undefined || each.uuid === uuid) ?? found[0];
}

/** Options of `startAll` and `stopAll`. */
export const eachShape = {
  /**
   * Number of guests that are started or stopped at a time (default: 4). Guests of the site's
   * `startOrder` are always handled one by one.
   */
  parallel: z.exactOptional(z.int().check(z.positive())),
  /** Called with the result of each guest, as soon as it is known. */
  onRow: z.exactOptional(callable<(row: PowerRow) => void>()),
};

/**
 * Acts on every configured guest: first on those of `startOrder`, one by one, then on the others; `backwards`
 * reverses the order of all. Returns the rows in this order, after those of unreadable config files. A failure
 * does not affect the other guests.
 */
export async function onEachGuest(
  { backwards, autostart = false, parallel = 4, onRow }: EachGuest,
  act: (row: driver.StartRow, file: string | undefined) => Promise<PowerRow>,
): Promise<readonly PowerRow[]> {
  const { host, site, planning } = currentBofh();
  const { guests: all, problems, repeated } = await driver.guestConfigs(host, site.guestConfigDirs);
  // Of a guest with two files either may be the right one: its row among the unreadable files names
  // both.
  const known = backwards ? all : all.filter(({ name }) => !repeated.has(name));
  const guests = autostart ? await startedAtBoot(host, known) : known;
  const domains = await driver.domains(host);
  const held = backwards ? new Set<string>() : await heldGuests();
  const isLeftOut = (name: string): boolean =>
    all.some((guest) => guest.name === name) && !guests.some((guest) => guest.name === name);
  const order = site.startOrder.filter((name) => !isLeftOut(name));
  const plan = driver.startAllPlan({ guests, domains, order, held });
  const unreadable = problems.map(({ file, message }) => leftRow({ name: file, was: 'unknown' }, message));
  for (const row of unreadable) onRow?.(row);
  const rows = new Map<driver.StartRow, PowerRow>();
  const inOrder = ({ name }: driver.StartRow): boolean => site.startOrder.includes(name);
  const groups = [
    { of: plan.filter(inOrder), atOnce: 1 },
    // A plan shows the guests one after the other.
    { of: plan.filter((row) => !inOrder(row)), atOnce: planning ? 1 : parallel },
  ];
  for (const { of, atOnce } of backwards ? groups.toReversed() : groups) {
    const { take } = turns(atOnce);
    const turn = async (row: driver.StartRow): Promise<void> => {
      const file = guests.find(({ name }) => name === row.name)?.file;
      await take(async () => {
        const done = await act(row, file);
        rows.set(row, done);
        onRow?.(done);
      });
    };
    const turnsOfAll = (backwards ? of.toReversed() : of).map(turn);
    await Promise.allSettled(turnsOfAll);
    await Promise.all(turnsOfAll);
  }
  const inTurn = backwards ? plan.toReversed() : plan;
  return [...unreadable, ...inTurn.flatMap((row) => rows.get(row) ?? [])];
}

async function startedAtBoot<T extends { readonly file: string }>(
  host: ReadHost,
  guests: readonly T[],
): Promise<readonly T[]> {
  const links = await Promise.all(guests.map(({ file }) => autostartLinks(host, file)));
  return guests.filter((_, at) => links[at]?.length !== 0);
}

interface EachGuest {
  readonly backwards: boolean;
  /** Only the guests that start at boot (default: false). */
  readonly autostart?: boolean;
  readonly parallel?: number;
  readonly onRow?: (row: PowerRow) => void;
}

/** The row of a guest that stays as it is. `error`: why; undefined if it has the requested state already. */
export function leftRow({ name, was }: Pick<PowerRow, 'name' | 'was'>, error?: string): PowerRow {
  return { name, was, now: was, seconds: 0, ...present({ error }) };
}

export async function timedRow(
  { name, was }: Pick<PowerRow, 'name' | 'was'>,
  then: 'running' | 'off',
  act: () => Promise<unknown>,
): Promise<PowerRow> {
  const start = performance.now();
  const seconds = (): number => Math.round((performance.now() - start) / 100) / 10;
  try {
    await act();
    return { name, was, now: then, seconds: seconds() };
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    const failed = { name, was, seconds: seconds(), error: rowText(error) };
    if (!(error instanceof StuckError)) return { ...failed, now: was };
    // Not undone: its state is unknown, unless the sequence committed.
    return { ...failed, now: error.committed ? then : 'unknown', stuck: error };
  }
}

/**
 * The text of an error in a row, without its remedy, for which a row has no field. Only a remedy that
 * names the option `alone` is appended.
 */
function rowText({ message, remedy }: BofhError): string {
  return remedy === undefined || !remedy.includes('alone') ? message : `${message}; ${remedy}`;
}

async function startDomu(
  { name, config, uuid }: Pick<driver.Domu, 'name' | 'config' | 'uuid'>,
  options: StartOptions = {},
): Promise<{ readonly domid: number }> {
  const own = await driver.guestDomains(currentBofh().host, (each) => each.name === name);
  const running = own.find((each) => each.state === 'running' && (uuid === undefined || each.uuid === uuid));
  // An unfinished sequence may still remove its guest: the step below is then refused, and names it.
  if (running !== undefined && own.length === 1 && !(await heldGuests()).has(name))
    return { domid: running.id };
  return single(`xen start ${name}`, (tx) =>
    startVm(tx, { ...options, host: currentBofh().host, config, name }),
  );
}

/** Returns the guests that an interrupted sequence, which is not recovered yet, creates, changes or removes. */
export async function heldGuests(): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (const { state, owner } of await openJournals(currentBofh().engine)) {
    if (owner === 'running' || state.closed !== undefined) continue;
    for (const step of state.steps) for (const name of guestsOf(step)) held.add(name);
  }
  return held;
}

function guestsOf({ intent, undone }: Step): readonly string[] {
  if (undone !== undefined) return [];
  return exclusive(intent.claims ?? {}).flatMap(
    (key) => /^(?:dom|vm):(?<name>.+)$/.exec(key)?.groups?.name ?? [],
  );
}
