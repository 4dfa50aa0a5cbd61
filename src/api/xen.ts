import { openJournals } from '../atomic/recovery/recover.ts';
import { exclusive, type Step } from '../atomic/journal/state.ts';
import { atomic, currentBofh, refuseInside, single } from '../bofh.ts';
import { BofhError, StuckError, UsageError } from '../core/errors.ts';
import { type StartOptions, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';

/** A configured guest. */
export interface Domu extends driver.Domu {
  /**
   * Returns whether its domain runs; false if it is paused, half-built, crashed or shutting down.
   */
  isRunning(): Promise<boolean>;
  /** Starts it in a sequence of its own. */
  start(options?: StartOptions): Promise<{ readonly domid: number }>;
}

/** A guest that has a configuration, a domain, or both. */
export interface GuestRow {
  readonly name: string;
  readonly state: driver.DomainState | 'off';
  readonly domid?: number;
  readonly uuid?: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** Undefined if no config file is known. */
  readonly config?: string;
}

/** Result of `startAll` for one guest. */
export interface StartedRow {
  readonly name: string;
  readonly was: driver.StartRow['was'];
  readonly now: driver.StartRow['was'];
  readonly seconds: number;
  readonly error?: string;
  /** Set if the undo is stuck or the cleanup is unfinished: names what is left. */
  readonly stuck?: StuckError;
}

/**
 * Returns every configured guest, by name. Throws UsageError that names each file that is not a
 * guest config.
 */
export async function allDomus(): Promise<readonly Domu[]> {
  const { host, site } = currentBofh();
  const domus = await driver.allDomus({ host, configDirs: site.guestConfigDirs });
  return domus.map((domu) => ({
    ...domu,
    isRunning: () => driver.isRunning({ host: currentBofh().host, domu }),
    start: (options) => startDomu(domu, options),
  }));
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
      memoryMiB: domain?.memoryMiB ?? guest.memoryMiB,
      vcpus: domain?.vcpus ?? guest.vcpus,
      config: guest.file,
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
        memoryMiB,
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
  const domu = (await allDomus()).find((each) => each.name === name);
  if (domu === undefined)
    throw new UsageError(
      `no guest ${name} is configured in ${currentBofh().site.guestConfigDirs.join(', ')}`,
    );
  return domu.start(options);
}

/**
 * Starts every configured guest that is not running, one after the other. One that fails does not
 * stop the others. After a signal no further guest is started, and their rows say so. A guest whose
 * undo is stuck has a row with `stuck`. `connectMs` limits, in milliseconds, the total wait for the
 * peers of all replicated disks (default: 30000).
 */
export async function startAll(
  options: StartOptions & { readonly onRow?: (row: StartedRow) => void } = {},
): Promise<readonly StartedRow[]> {
  refuseInside('xen.startAll');
  const { connectMs = 30_000, alone = false } = options;
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
  const rows: StartedRow[] = [];
  const tell = (row: StartedRow): void => {
    rows.push(row);
    options.onRow?.(row);
  };
  for (const { file, message } of problems)
    tell({ name: file, was: 'unknown', now: 'unknown', seconds: 0, error: message });
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
  const begun = performance.now();
  const seconds = (): number => Math.round((performance.now() - begun) / 100) / 10;
  try {
    await atomic(`xen start ${row.name}`, (tx) =>
      startVm(tx, { ...options, host: currentBofh().host, config, name: row.name }),
    );
    return { name: row.name, was: row.was, now: 'running', seconds: seconds() };
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    const failed = { name: row.name, was: row.was, seconds: seconds(), error: rowText(error) };
    if (!(error instanceof StuckError)) return { ...failed, now: row.was };
    // Not undone: its state is unknown, unless the sequence committed.
    return { ...failed, now: error.committed ? 'running' : 'unknown', stuck: error };
  }
}

/** A row has no field for the remedy, and without it the user would not know about --alone. */
function rowText({ message, remedy }: BofhError): string {
  return remedy === undefined || !remedy.includes('--alone') ? message : `${message}; ${remedy}`;
}

async function startDomu(
  { name, config, uuid }: driver.Domu,
  options: StartOptions = {},
): Promise<{ readonly domid: number }> {
  const own = await driver.guestDomains(currentBofh().host, (each) => each.name === name);
  const running = own.find((each) => each.state === 'running' && (uuid === undefined || each.uuid === uuid));
  // An unfinished sequence may still remove a guest that it created: the sequence reports that.
  if (running !== undefined && own.length === 1 && !(await heldGuests()).has(name))
    return { domid: running.id };
  return single(`xen start ${name}`, (tx) =>
    startVm(tx, { ...options, host: currentBofh().host, config, name }),
  );
}

/** Returns the guests of unfinished sequences: partly created or partly removed. */
async function heldGuests(): Promise<ReadonlySet<string>> {
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
