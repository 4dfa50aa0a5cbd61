import { openJournals } from '../atomic/recovery/recover.ts';
import { exclusive, type Step } from '../atomic/journal/state.ts';
import { currentBofh, single } from '../bofh.ts';
import { BofhError, StuckError, UsageError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { type StartOptions, startVm } from '../vm/start.ts';
import * as driver from '../xen/index.ts';
import { checkText } from '../core/checks.ts';

/** xl counts in these. */
export const mebibyte = 1024 ** 2;

/** A configured guest. */
export interface Domu extends Omit<driver.Domu, 'memoryMiB'> {
  readonly memory: Bytes;
  /**
   * Returns whether its domain runs; false if it is paused, half-built, crashed or shutting down.
   */
  isRunning(): Promise<boolean>;
  /** Starts it in a sequence of its own. */
  start(options?: StartOptions): Promise<{ readonly domid: number }>;
}

/** Result of `startAll` or `stopAll` for one guest. */
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
  return domus.map(({ memoryMiB, ...domu }) => ({
    ...domu,
    memory: memoryMiB * mebibyte,
    isRunning: () => driver.isRunning({ host: currentBofh().host, domu }),
    start: (options) => startDomu(domu, options),
  }));
}

export async function guestNamed(name: string): Promise<Domu> {
  checkText('the name of the guest', name);
  const domu = (await allDomus()).find((each) => each.name === name);
  if (domu !== undefined) return domu;
  const { host, site } = currentBofh();
  const [domain] = await driver.guestDomains(host, (each) => each.name === name);
  throw new UsageError(
    `no guest ${name} is configured in ${site.guestConfigDirs.join(', ')}`,
    domain === undefined
      ? { code: 'not-found', remedy: 'bofh vm list shows the guests' }
      : {
          code: 'not-found',
          remedy: `it runs without a configuration, as domain ${String(domain.id)}: xl shutdown -w ${String(domain.id)}`,
        },
  );
}

export async function domainOf({ name, uuid }: Domu): Promise<driver.Domain | undefined> {
  const found = await driver.guestDomains(currentBofh().host, (each) => each.name === name);
  return found.find((each) => uuid === undefined || each.uuid === uuid) ?? found[0];
}

/** The rows of all guests, from those of unreadable config files on. */
export function rowsAfter(
  problems: readonly driver.ConfigProblem[],
  onRow: ((row: StartedRow) => void) | undefined,
): { readonly rows: readonly StartedRow[]; readonly tell: (row: StartedRow) => void } {
  const rows: StartedRow[] = [];
  const tell = (row: StartedRow): void => {
    rows.push(row);
    onRow?.(row);
  };
  for (const { file, message } of problems)
    tell({ name: file, was: 'unknown', now: 'unknown', seconds: 0, error: message });
  return { rows, tell };
}

export async function timedRow(
  { name, was }: Pick<StartedRow, 'name' | 'was'>,
  then: 'running' | 'off',
  act: () => Promise<unknown>,
): Promise<StartedRow> {
  const begun = performance.now();
  const seconds = (): number => Math.round((performance.now() - begun) / 100) / 10;
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

/** A row has no field for the remedy, and without it the user would not know about --alone. */
function rowText({ message, remedy }: BofhError): string {
  return remedy === undefined || !remedy.includes('--alone') ? message : `${message}; ${remedy}`;
}

async function startDomu(
  { name, config, uuid }: Pick<driver.Domu, 'name' | 'config' | 'uuid'>,
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
