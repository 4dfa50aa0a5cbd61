import { setTimeout as delay } from 'node:timers/promises';
import { JournalError, UsageError } from '../errors.ts';
import type { Engine } from './engine.ts';
import type { ObjectLocks } from './lock.ts';
import type { Claims, Key } from './operation.ts';
import { describe } from './report.ts';
import { isOwned, journals } from './scan.ts';
import { conflicting, exclusive, isLeft, type Step } from './state.ts';

/** What the claims of a step are held against. */
export interface Claiming {
  readonly engine: Engine;
  readonly id: string;
  readonly locks: ObjectLocks;
  /** Claims of the steps that run now. */
  readonly running: Map<number, { readonly kind: string; readonly claims: Claims }>;
  readonly stop: AbortSignal;
}

/** Takes the objects of a step: against the steps beside it, the sequences that live, and those that died. */
export async function claim(at: Claiming, kind: string, n: number, claims: Claims): Promise<void> {
  refuseParallel(at, kind, n, claims);
  await lockObjects(at, claims);
  refuseUnfinished(at, claims);
}

/** The keys of another host bear its name. */
export function hostKey(engine: Engine, key: Key): Key {
  return engine.host.name === '' ? key : `${engine.host.name}!${key}`;
}

export function withHost(engine: Engine, claims: Claims): Claims {
  const keys = (list: readonly Key[] | undefined) => (list ?? []).map((key) => hostKey(engine, key));
  return { makes: keys(claims.makes), changes: keys(claims.changes), needs: keys(claims.needs) };
}

/** Two steps of one sequence that run side by side must not touch one object. */
function refuseParallel(at: Claiming, kind: string, n: number, claims: Claims): void {
  for (const running of at.running.values()) {
    const key = conflicting(running.claims, claims);
    if (key !== undefined)
      throw new UsageError(`${kind} and ${running.kind} run side by side on ${key}: await the first one`);
  }
  at.running.set(n, { kind, claims });
}

/** All locks in one go; refused at once, or tried again until the time given is over. */
async function lockObjects({ engine, id, locks, stop }: Claiming, claims: Claims): Promise<void> {
  const deadline = performance.now() + (engine.waitMs ?? 0);
  for (;;) {
    const key = await locks.take(claims);
    if (key === undefined) return;
    if (performance.now() >= deadline || stop.aborted)
      throw new JournalError(`${key} is in use by ${whoHas(engine, id, key)}`, {
        remedy: 'try again when it has ended, or with --wait 60s',
      });
    await delay(200);
  }
}

/** The sequence that claims a key, as its journal tells it. */
function whoHas(engine: Engine, own: string, key: Key): string {
  const has = ({ intent: { claims } }: Step): boolean =>
    claims !== null && [...exclusive(claims), ...(claims.needs ?? [])].includes(key);
  const found = journals(engine).find(({ id, state }) => id !== own && state.steps.some(has));
  if (found === undefined) return 'another bofh that has only just begun';
  const { begin, owner } = found.state;
  return `sequence ${found.id} "${begin.name}" (pid ${owner.pid}: ${begin.argv.join(' ')})`;
}

/** A journal that cannot be read may claim anything: JournalError. */
export function refuseDamaged(engine: Engine): void {
  journals(engine);
}

/** A dead sequence blocks the objects that it makes or changes until it is recovered, and nothing else. */
function refuseUnfinished({ engine, id: own }: Claiming, claims: Claims): void {
  for (const seen of journals(engine)) {
    const { id, state } = seen;
    if (id === own || state.closed !== undefined || isOwned(engine, seen)) continue;
    for (const step of state.steps.filter((each) => isLeft(state, each))) {
      const key = conflicting(step.intent.claims ?? {}, claims);
      if (key === undefined) continue;
      throw new JournalError(
        `${key} belongs to the unfinished sequence ${id} "${state.begin.name}", step ${describe(step)}`,
        { remedy: `bofh recover, or look first with: bofh journal show ${id}` },
      );
    }
  }
}
