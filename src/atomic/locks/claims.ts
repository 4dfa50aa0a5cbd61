import { setTimeout as delay } from 'node:timers/promises';
import { endReservation, type Taken } from '../../command/index.ts';
import { JournalError, UsageError } from '../../core/errors.ts';
import { option, stepName } from '../../core/option.ts';
import { type AtWork, atWorkOn, isRefusal, type CheckedStep } from './at-work.ts';
import type { Engine } from '../engine.ts';
import { hostKey, keyInWords } from './host-key.ts';
import { type Journal, reservingOf } from '../journal/journal-writer.ts';
import type { ObjectLocks } from './lock.ts';
import type { Claims, Key } from '../operation.ts';
import type { Place } from '../place.ts';
import { describe } from '../undo/report.ts';
import { cannotTell, journalOf, journals, journalsOn, type Seen, workedOn } from '../journal/scan.ts';
import { conflicting, exclusive, isLeft, type Step } from '../journal/state.ts';

/** Everything that the claims of a step are compared with. */
export interface Claiming {
  readonly engine: Engine;
  readonly id: string;
  readonly locks: ObjectLocks;
  /** Claims of the steps that run now; none while a step looks at its objects. */
  readonly running: Map<number, { readonly kind: string; readonly claims: Claims }>;
  readonly stop: AbortSignal;
  /** Journals that the sequence may reserve objects on the host; called before it reserves any. */
  readonly enter: () => Promise<Journal>;
}

/**
 * Claims the objects of a step. Checks parallel steps, and running and dead sequences; on another host also
 * those that were started there. Returns whether nothing had to be locked or waited for: then no other sequence
 * can have changed the objects since this one locked them.
 */
export async function claim(at: Claiming, kind: string, n: number, own: Claims): Promise<boolean> {
  const claims = withHost(at.engine, own);
  refuseParallel(at, kind, n, claims);
  const wasHeld = at.engine.reservations === undefined && at.locks.holds(claims);
  await lockObjects(at, claims);
  const hasWaited = await refuseClaimed(at, claims);
  if (at.engine.host.name === '') refuseReserved(at, own);
  await reserveObjects(at, own);
  return wasHeld && !hasWaited;
}

/** Refuses objects that another host has reserved here, whether its sequence is running or not. */
function refuseReserved({ engine, id: own }: Claiming, claims: Claims): void {
  for (const { id, name, coordinator, exclusive: makes, shared: needs } of engine.reserved?.list() ?? []) {
    const key = id === own ? undefined : conflicting({ makes, needs }, claims);
    if (key !== undefined)
      throw new JournalError(`${key} is reserved by sequence ${id} "${name}" of the bofh on ${coordinator}`, {
        code: 'busy',
        remedy: endReservation({ id, coordinator }),
      });
  }
}

async function reserveObjects(at: Claiming, claims: Claims): Promise<void> {
  const { engine, enter } = at;
  const { reservations, host } = engine;
  if (reservations === undefined) return;
  const keys = { exclusive: exclusive(claims), shared: claims.needs ?? [] };
  await untilFree(at, async () => {
    const taken = await reservations.reserve(reservingOf(await enter()), keys);
    return taken === undefined ? undefined : refuseTaken(engine, taken);
  });
  if (reservations.journals === undefined) return;
  // Only after the reservation, because from now on no bofh on that host starts to change the objects.
  for (const { id, state } of await journalsOn(host, reservations.journals))
    for (const { intent } of state.steps.filter((step) => isLeft(state, step) && step.intent.host === '')) {
      const key = conflicting(intent.claims ?? {}, claims);
      if (key !== undefined)
        throw new JournalError(
          `${said(engine, key)} belongs to the sequence ${id} "${state.begin.name}" there${state.awaiting === undefined ? '' : ', which waits for its confirmation'}`,
          {
            code: 'unfinished',
            remedy: `on ${host.name}: ${state.awaiting === undefined ? 'bofh recover' : `bofh confirm ${id}, or bofh undo ${id}`}; then run the command again here`,
          },
        );
    }
}

/**
 * Throws for an object that another sequence has reserved on the other host. If its journal is one
 * of this bofh, recovery here ends it; if a process still works on it, returns its holder as text.
 */
async function refuseTaken(engine: Engine, { key, by, remedy, sequence }: Taken): Promise<string> {
  const seen = sequence === undefined ? undefined : journalOf(engine, sequence);
  if (seen === undefined || seen.state.closed !== undefined)
    throw new JournalError(`${said(engine, key)} is in use by ${by}`, { code: 'busy', remedy });
  const owner = (await workedOn(engine, [seen])).at(0)?.owner;
  if (owner === 'running') return `${said(engine, key)} is in use by ${sequenceInWords(seen)}`;
  if (owner === 'unknown') throw cannotTell(seen.id, said(engine, key));
  throw unfinished(engine, { key, seen });
}

export function withHost(engine: Pick<Place, 'host'>, claims: Claims): Claims {
  const keys = (list: readonly Key[] | undefined) => (list ?? []).map((key) => hostKey(engine, key));
  return { makes: keys(claims.makes), changes: keys(claims.changes), needs: keys(claims.needs) };
}

function said({ host }: Pick<Place, 'host'>, key: Key): string {
  return keyInWords(host.name, key);
}

/**
 * Refuses a step that shares an object with a parallel step of the sequence; else adds its claims to
 * `running`.
 */
function refuseParallel(at: Claiming, kind: string, n: number, claims: Claims): void {
  for (const running of at.running.values()) {
    const key = conflicting(running.claims, claims);
    if (key !== undefined)
      throw new UsageError(
        `${stepName(kind)} and ${stepName(running.kind)} work on ${said(at.engine, key)} at the same time: await the first one`,
      );
  }
  at.running.set(n, { kind, claims });
}

/** Takes all locks at once. Throws at once if one is held, or after the time limit. */
async function lockObjects(at: Claiming, claims: Claims): Promise<void> {
  const { engine, locks } = at;
  await untilFree(at, async () => {
    const key = await locks.take(claims);
    return key === undefined ? undefined : `${said(engine, key)} is in use by ${whoHas(at, key)}`;
  });
}

/** Repeats the check until it passes, or until the time limit. Returns whether it waited. */
async function untilFree(
  { engine, stop }: Pick<Claiming, 'engine' | 'stop'>,
  inTheWay: () => Promise<string | undefined>,
  cause?: () => unknown,
): Promise<boolean> {
  const deadline = performance.now() + (engine.waitMs ?? 0);
  for (let isReported = false; ; isReported = true) {
    const what = await inTheWay();
    if (what === undefined) return isReported;
    if (performance.now() >= deadline || stop.aborted)
      throw new JournalError(what, {
        code: 'busy',
        remedy: `run the command again when it has ended, or with ${option('--wait 60s', 'wait: 60_000')}`,
        cause: cause?.(),
      });
    if (!isReported) engine.reporter?.report({ type: 'waiting', for: what });
    await delay(200);
  }
}

/**
 * Runs the check of a step. If it refuses an object of a running sequence, the check is repeated when that
 * sequence ends. At the time limit the error names that sequence, and not a command that destroys its
 * objects. The same is true for an unfinished sequence, because recovery may undo it.
 */
export async function checkUnlessBusy<T>(
  at: Pick<Claiming, 'engine' | 'id' | 'stop'>,
  step: CheckedStep,
  check: () => Promise<T>,
): Promise<T> {
  let refusal: unknown;
  let value: { readonly of: T } | undefined;
  const inTheWay = async (): Promise<string | undefined> => {
    try {
      value = { of: await check() };
      return undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusal = error;
    }
    const other = await atWorkOn(at.engine, at.id, step);
    if (other?.owner === 'running')
      return `${said(at.engine, other.key)} is in use by ${sequenceInWords(other.seen)}`;
    if (other !== undefined && !(refusal instanceof UsageError)) {
      if (other.owner === 'unknown') throw cannotTell(other.seen.id, said(at.engine, other.key));
      throw unfinished(at.engine, other, refusal);
    }
    // A sequence may have ended since the check.
    value = { of: await check() };
    return undefined;
  };
  await untilFree(at, inTheWay, () => refusal);
  if (value === undefined) throw new TypeError('the check of the claims returned without a result');
  return value.of;
}

/**
 * Throws if a lock was lost because its file was removed. Called when the intent is on disk: from then on
 * other sequences see the claims in the journal; before, only the lock protected the object.
 */
export function refuseLostLock({ engine, locks }: Pick<Claiming, 'engine' | 'locks'>, claims: Claims): void {
  const key = locks.lost(claims);
  if (key !== undefined)
    throw new JournalError(
      `the lock file of ${said(engine, key)} was removed while this sequence held the lock: another may have taken it`,
      {
        remedy:
          'run the command again, and make sure that no other program removes files below the state directory and /run/bofh',
      },
    );
}

/**
 * Names the sequence that claims a key according to its journal, or that has reserved it: then its process has
 * the lock file open.
 */
function whoHas({ engine, id: own, locks }: Claiming, key: Key): string {
  const claims = ({ intent: { claims } }: Step): boolean =>
    claims !== null && [...exclusive(claims), ...(claims.needs ?? [])].includes(key);
  const others = journals(engine, own);
  const files = locks.filesOf?.(key) ?? [];
  const found =
    others.find(({ state }) => state.steps.some(claims)) ??
    others.find(({ state }) => files.some((file) => engine.processes.alive(state.owner, file)));
  return found === undefined ? 'another bofh that has just started' : sequenceInWords(found);
}

function sequenceInWords({ id, state: { begin, owner } }: Seen): string {
  return `sequence ${id} "${begin.name}" (pid ${owner.pid}: ${begin.argv.join(' ')})`;
}

/** Throws JournalError if a journal cannot be read, because it may claim any object. */
export function refuseDamaged(engine: Engine): void {
  journals(engine);
}

function unfinished(
  engine: Engine,
  { key, seen, step }: Pick<AtWork, 'key' | 'seen'> & Partial<Pick<AtWork, 'step'>>,
  cause?: unknown,
): JournalError {
  const { id, state } = seen;
  if (state.awaiting !== undefined)
    return new JournalError(
      `${said(engine, key)} belongs to sequence ${id} "${state.begin.name}", which waits for its confirmation`,
      {
        code: 'unfinished',
        remedy: `to keep it: bofh confirm ${id}; to roll it back: bofh undo ${id}`,
        cause,
      },
    );
  const of = step === undefined ? '' : `, step ${describe(step)}`;
  return new JournalError(
    `${said(engine, key)} belongs to the unfinished sequence ${id} "${state.begin.name}"${of}`,
    { code: 'unfinished', remedy: `bofh recover; to look first: bofh journal show ${id}`, cause },
  );
}

/**
 * An open journal blocks the objects that it makes or changes, and nothing else: that of a dead
 * sequence until it is recovered, that of a running one until it ends. A running sequence also
 * holds the locks, but their files may have been removed.
 */
async function refuseClaimed(at: Claiming, claims: Claims): Promise<boolean> {
  const { engine, id: own } = at;
  return await untilFree(at, async () => {
    // Not the own journal: the sequence knows its claims, and its journal grows with each step.
    for (const seen of journals(engine, own)) {
      const { id, state } = seen;
      if (state.closed !== undefined) continue;
      for (const step of state.steps.filter((each) => isLeft(state, each))) {
        const key = conflicting(step.intent.claims ?? {}, claims);
        if (key === undefined) continue;
        const [worked] = await workedOn(engine, [seen]);
        if (worked?.owner === 'running')
          return `${said(engine, key)} is in use by ${sequenceInWords(seen)}, which has lost its lock`;
        if (worked?.owner === 'unknown') throw cannotTell(id, said(engine, key));
        throw unfinished(engine, { key, seen, step });
      }
    }
    return undefined;
  });
}
