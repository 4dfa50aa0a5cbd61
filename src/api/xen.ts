import { openJournals } from '../atomic/recovery/recover.ts';
import { exclusive, type Step } from '../atomic/journal/state.ts';
import { atomic, currentBofh, refuseInside, single } from '../bofh.ts';
import { BofhError, StuckError, UsageError } from '../core/errors.ts';
import { type StartOptions, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';

/** A configured guest. */
export interface Domu extends driver.Domu {
  /** Does its domain run? One that is paused, half-built, crashed or ending does not. */
  isRunning(): Promise<boolean>;
  /** Starts it: a sequence of one. */
  start(options?: StartOptions): Promise<{ readonly domid: number }>;
}

/** A guest, configured or there as a domain or both. */
export interface GuestRow {
  readonly name: string;
  readonly state: driver.DomainState | 'off';
  readonly domid?: number;
  readonly uuid?: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** Undefined: no config file is known. */
  readonly config?: string;
}

/** What `startAll` did with one guest. */
export interface StartedRow {
  readonly name: string;
  readonly was: driver.StartRow['was'];
  readonly now: driver.StartRow['was'];
  readonly seconds: number;
  readonly error?: string;
  /** When it could not be undone, or its cleaning up is not finished: what is left. */
  readonly stuck?: StuckError;
}

/** Every configured guest, by name. Throws UsageError that names each file that is no guest config. */
export async function allDomus(): Promise<readonly Domu[]> {
  const { host, site } = currentBofh();
  const domus = await driver.allDomus({ host, configDirs: site.guestConfigDirs });
  return domus.map((domu) => ({
    ...domu,
    isRunning: () => driver.isRunning({ host: currentBofh().host, domu }),
    start: (options) => startDomu(domu, options),
  }));
}

/** Every guest, and what could not be read among the config files. */
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
 * Starts one configured guest; one that runs already stays as it is. RefusedError when it is paused, crashed or ending, and when a replicated disk of it is not
 * connected to the other host, unless it may start alone.
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
 * Starts every configured guest that is not running, from one listing. One that fails does not stop the others. After a
 * signal the rest is not started, and its rows say so. A guest whose undo is stuck is a row too, with `stuck`. For the other hosts of
 * replicated disks all of them together wait no longer than `connectMs`.
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
    const why = starting && signals?.stop?.aborted === true ? 'not started: a signal came' : row.why;
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
    const failed = { name: row.name, was: row.was, seconds: seconds(), error: inWords(error) };
    if (!(error instanceof StuckError)) return { ...failed, now: row.was };
    // Not undone: whether it runs only a look can tell, unless it was committed.
    return { ...failed, now: error.committed ? 'running' : 'unknown', stuck: error };
  }
}

/** A row has no place for a remedy of its own, and without one nobody knows how to start the guest. */
function inWords({ message, remedy }: BofhError): string {
  return remedy === undefined || !remedy.includes('--alone') ? message : `${message}; ${remedy}`;
}

async function startDomu(
  { name, config, uuid }: driver.Domu,
  options: StartOptions = {},
): Promise<{ readonly domid: number }> {
  const own = await driver.guestDomains(currentBofh().host, (each) => each.name === name);
  const running = own.find((each) => each.state === 'running' && (uuid === undefined || each.uuid === uuid));
  // A guest of an unfinished sequence may still be taken away: the sequence says so.
  if (running !== undefined && own.length === 1 && !(await heldGuests()).has(name))
    return { domid: running.id };
  return single(`xen start ${name}`, (tx) =>
    startVm(tx, { ...options, host: currentBofh().host, config, name }),
  );
}

/** Guests of unfinished sequences: half-made, or half-removed. */
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
