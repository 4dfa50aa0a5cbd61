import { type ChangeHost, shellWords } from '../../command/index.ts';
import {
  BofhError,
  CommandError,
  ConnectionError,
  IdentityTaken,
  JournalError,
  messageOf,
  ParseError,
  RefusedError,
} from '../../core/errors.ts';
import { changing, codeOf, type Engine } from '../engine.ts';
import { ownKey } from '../locks/host-key.ts';
import { note, type Journal } from '../journal/journal-writer.ts';
import type { Blocked, Line } from '../journal/lines.ts';
import { type Decision } from './next.ts';
import type { Key, Look } from '../operation.ts';
import { placeOf } from '../place.ts';
import { isMissing } from './missing.ts';
import {
  isOpenAgain,
  mountToFinish,
  reopenedFor,
  reopenedOver,
  type Reopening,
  whyHidden,
} from './reopen.ts';
import { describe } from './report.ts';
import { conflictsOf, journalled, stepOf, type Step } from '../journal/state.ts';
import { refuseUnmounted } from './unmounted.ts';
import { refuseChanged, refuseOvertaken, renewedWitnesses } from './witness.ts';
import { isKept, keep, type Kept, keptAt } from './keep.ts';
import { present } from '../../core/present.ts';

/**
 * The inverses of pairs of functions, which only this process has; each returns a text about the objects that
 * it left untouched.
 */
export type Inverses = ReadonlyMap<number, () => Promise<string | undefined>>;

export interface Unwinding {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly inverses: Inverses;
  readonly scope?: number;
  /**
   * Objects that may be destroyed with what others wrote there, because the administrator named them. `all`:
   * for a dry run, which destroys nothing.
   */
  readonly discard?: ReadonlySet<Key> | 'all' | undefined;
  /**
   * Steps into whose objects the running sequence itself may have written; `all` while its body
   * runs.
   */
  readonly trusted?: ReadonlySet<number> | 'all' | undefined;
  /** A second signal: stop between two acts, or stop waiting for the running one. */
  readonly abandon?: AbortSignal | undefined;
}

export interface Acted {
  readonly lines: readonly Line[];
  readonly leftUntouched: readonly string[];
  readonly errors: readonly unknown[];
}

export function failed({ n }: Step, error: unknown): Acted {
  const line: Line = { t: 'blocked', n, why: 'failed', message: messageOf(error), ...known(error) };
  return { lines: [line], leftUntouched: [], errors: [error] };
}

/**
 * Undoes or finishes a step. `boots`: those of the decision. `booted`: its host rebooted since, or
 * meanwhile.
 */
export async function act(
  unwinding: Unwinding,
  decision: Decision & { readonly do: 'undo' | 'finish' },
  boots: Readonly<Record<string, string>>,
  reopening: Reopening,
): Promise<Acted | 'booted'> {
  const { step } = decision;
  const at = { ...unwinding, decided: boots[step.intent.host] };
  try {
    if (decision.do === 'finish')
      return await inOneBoot(at, step, (boot) => finish({ ...unwinding, reopening }, step, boot));
    if (decision.boot === 'other') return await lookOnly(unwinding, step);
    return await inOneBoot(at, step, (boot) => undo(unwinding, step, decision.inside, boot));
  } catch (error) {
    return failed(step, await namingFull(unwinding, step, error));
  }
}

/**
 * Adds to the error a full thin pool or snapshot below the objects of the step, which may be why a program
 * failed.
 */
async function namingFull({ engine }: Unwinding, { intent }: Step, error: unknown): Promise<unknown> {
  const isOfProgram = error instanceof CommandError || error instanceof ParseError;
  if (!isOfProgram || intent.claims === null) return error;
  const { makes = [], changes = [], needs = [] } = intent.claims;
  const keys = [...makes, ...changes, ...needs].map((key) => ownKey(intent.host, key));
  try {
    const full = await engine.fullBeneath?.(placeOf(engine, intent.host).host, keys);
    if (full === undefined) return error;
    return new RefusedError(`${full.why}, and then: ${error.message}`, {
      remedy: `${full.remedy}; then: bofh recover`,
      cause: error,
    });
  } catch (failure) {
    // If the search fails, the error of the act is more useful than that of the search.
    if (failure instanceof BofhError) return error;
    throw failure;
  }
}

/**
 * An act and its sync on another host count only if that host did not reboot in between: the reboot
 * loses unwritten data, and a later sync does not detect that. The next action is then decided again.
 */
async function inOneBoot(
  { engine, decided }: Pick<Unwinding, 'engine'> & { readonly decided?: string | undefined },
  { intent }: Step,
  work: (boot?: string) => Promise<Acted>,
): Promise<Acted | 'booted'> {
  if (intent.kind === 'bare') return await work();
  const { host, reservations } = placeOf(engine, intent.host);
  if (reservations === undefined) return await work();
  const { boot } = await host.facts();
  if (decided !== undefined && decided !== boot) return 'booted';
  const isSame = async (): Promise<boolean> => (await host.facts()).boot === boot;
  try {
    const done = await work(boot);
    return (await isSame()) ? done : 'booted';
  } catch (error) {
    // A host in another boot refuses to start a program: that may be why the act failed.
    if (!(error instanceof ConnectionError) && !(await isSame())) return 'booted';
    throw error;
  }
}

/**
 * Undoes one step now. JournalError if its host rebooted meanwhile: then it is unknown whether it
 * is undone.
 */
export async function undoNow(
  unwinding: Omit<Unwinding, 'scope' | 'abandon'>,
  step: Step,
  inside: readonly Step[],
): Promise<Acted> {
  const { lives, recurs, boot: began } = step.intent;
  const at = lives === 'boot' && recurs !== true ? { ...unwinding, decided: began } : unwinding;
  const done = await inOneBoot(at, step, (boot) => undo(unwinding, step, inside, boot));
  if (done !== 'booted') return done;
  throw new JournalError(`${step.intent.host} was booted before ${describe(step)} was undone there`);
}

/** The remedy and the holders of an error of bofh. */
export function known(error: unknown): Pick<Blocked, 'holders' | 'remedy'> {
  if (!(error instanceof BofhError)) return {};
  const { holders, remedy } = error;
  return { ...(holders.length === 0 ? {} : { holders }), ...present({ remedy }) };
}

/**
 * Undoes one step, and with it the steps inside its object: looks, reverts if `ours`, looks again,
 * syncs.
 */
async function undo(
  unwinding: Omit<Unwinding, 'scope' | 'abandon'>,
  step: Step,
  inside: readonly Step[],
  boot: string | undefined,
): Promise<Acted> {
  const lines: Line[] = [
    ...inside.map((member): Line => ({ t: 'undone', n: member.n, by: step.n })),
    { t: 'undone', n: step.n },
  ];
  const inverse = unwinding.inverses.get(step.n);
  if (inverse !== undefined) {
    const found = await inverse();
    return found === undefined ? acted(lines) : leave(step, 'undone', { state: 'not-ours', found });
  }
  const { code, journalled } = await bringBack(unwinding, step, boot);
  if (code.defers(journalled.undo)) return acted(lines);
  let before = await code.look(journalled);
  if (before.state === 'not-ours' && (await isOpenAgain(unwinding, step, { taken: false })))
    before = { state: 'gone' };
  await refuseUnmounted(unwinding, step, before);
  let now = before;
  let except: ReadonlySet<number> = new Set();
  if (before.state === 'ours') {
    const { engine, journal, discard, trusted } = unwinding;
    if (trusted !== 'all')
      except = await refuseChanged(
        { engine, journal, discard, trusted },
        {
          ...{ step, inside, boot },
          holders: before.holders,
        },
      );
    if (inside.length > 0 && step.compared !== true) note(journal, [{ t: 'compared', n: step.n }]);
    now = await actAndLook(
      () => code.revert(journalled),
      () => code.look(journalled),
      step,
    ).catch(async (error: unknown): Promise<Look> => {
      if (await isOpenAgain(unwinding, step, { taken: error instanceof IdentityTaken }))
        return { state: 'gone' };
      throw error;
    });
  }
  // Also if the step is undone already: the undo may be only in the page cache.
  await code.sync(journalled);
  // Others may have put another object there between the look and the act.
  if (now.state === 'not-ours') return leave(step, 'undone', now);
  if (now.kept !== undefined) return leave(step, 'undone', { state: 'not-ours', found: now.kept });
  // This undo changed the content below the step, after a check that others had not. A step whose effect is
  // gone may have written there too, before the step or its undo was interrupted.
  const wrote =
    step.intent.contains !== undefined &&
    conflictsOf(unwinding.journal.state, step).some(({ n, intent }) => n < step.n && intent.lives === 'boot');
  if (step.intent.lives === 'boot' || wrote)
    lines.push(
      ...(await renewedWitnesses(
        { engine: unwinding.engine, journal: unwinding.journal },
        { of: 'device', way: step, except },
      )),
    );
  // An object of others was beside that of the step, and stays.
  const leftUntouched =
    before.state === 'ours' && before.found !== undefined ? [describe(step, before.found)] : [];
  return { ...acted(lines), leftUntouched };
}

/** In the undo of a committed sequence, the objects that the commit removed must be back before the look. */
async function bringBack(unwinding: Pick<Unwinding, 'engine' | 'journal'>, step: Step, boot?: string) {
  const found = await at(unwinding, step, boot);
  const { engine, journal } = unwinding;
  const { undoes } = journal.state.begin;
  const { later } = found.code;
  if (undoes === undefined || later?.bringBack === undefined || step.back === true) return found;
  const from = keptAt(engine, undoes, step.n);
  const undo = await later.bringBack({ ...found.journalled, from });
  note(journal, [{ t: 'back', n: step.n, undo }]);
  return at(unwinding, stepOf(journal.state, step.n) ?? step, boot);
}

/**
 * Only looks at a step of an earlier boot. Reports an object with the same identity that was activated again
 * after the reboot, and never touches it.
 */
async function lookOnly(unwinding: Unwinding, step: Step): Promise<Acted> {
  const { code, journalled } = await at(unwinding, step);
  const look = await code.look(journalled);
  if (look.state === 'gone') return acted([{ t: 'undone', n: step.n }]);
  if (look.blocks !== undefined) throw new RefusedError(look.blocks.why, { remedy: look.blocks.remedy });
  const found = look.found ?? `after the reboot it was set to the same state again${users(look)}`;
  return leave(step, 'undone', { ...look, found });
}

type Finishing = Unwinding & { readonly reopening: Reopening };

async function finish(unwinding: Finishing, step: Step, boot: string | undefined): Promise<Acted> {
  const acted = await finishOpened(unwinding, step, boot);
  for (const open of reopenedFor(unwinding.journal.state, step)) await closeAgain(unwinding, open);
  return acted;
}

async function finishOpened(unwinding: Finishing, step: Step, boot: string | undefined): Promise<Acted> {
  const { code, journalled } = await at(unwinding, step, boot);
  let before = await code.look(journalled);
  const mounting =
    before.state === 'gone' ? await mountToFinish(unwinding, unwinding.reopening, step) : 'nothing';
  if (mounting === 'mounted') before = await code.look(journalled);
  // For example read-only: nothing can be removed there.
  if (mounting === 'failed')
    for (const open of reopenedOver(unwinding.journal.state, step)) await closeAgain(unwinding, open);
  let now = before;
  let kept: Kept;
  if (before.state === 'ours') {
    if (unwinding.trusted !== 'all') {
      const { engine, journal, discard } = unwinding;
      await refuseOvertaken({ engine, journal, discard }, { step, code, host: journalled.host });
    }
    kept = await keep(unwinding, step, code, journalled);
    now = await actAndLook(
      () => code.afterCommit(journalled),
      () => code.look(journalled),
      step,
    );
  } else kept = await isKept(unwinding, step, code);
  await code.sync(journalled);
  // If others made theirs after this removal, the kept copy is still that of the step's object.
  if (now.state === 'not-ours') return leave(step, 'finished', now, before === now ? {} : kept);
  const hidden = before.state === 'gone' ? await whyHidden(unwinding, step) : undefined;
  if (hidden === undefined) return acted([{ t: 'finished', n: step.n, ...kept }]);
  const { clear = [] } = code.describe?.({ ...journalled, way: 'forward' }) ?? {};
  const later =
    clear.length === 0 ? '' : `; ${hidden.until}: ${clear.map((argv) => shellWords(argv)).join('; ')}`;
  const found = `${hidden.why}${later}`;
  return leave(step, 'finished', { state: 'not-ours', found });
}

/** Closes what was opened again to finish steps in it. */
async function closeAgain(unwinding: Finishing, step: Step): Promise<void> {
  const { engine, journal, reopening } = unwinding;
  const { code, journalled } = await at(unwinding, step);
  const look = await code.look(journalled).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (look === undefined) return;
  if (look.state === 'ours') {
    const except = reopening.changed.get(step.n);
    // The removal of a private name changes the times of its file and its directory.
    const renewed =
      except === undefined
        ? []
        : await renewedWitnesses({ engine, journal }, { of: 'files', way: step, except });
    if (renewed.length > 0) note(journal, renewed);
    await actAndLook(
      () => code.revert(journalled),
      () => code.look(journalled),
      step,
    );
  }
  reopening.changed.delete(step.n);
  await code.sync(journalled);
}

/** Acts, then looks. The exit code of a program proves nothing: only `look` decides. */
async function actAndLook(acting: () => Promise<void>, look: () => Promise<Look>, step: Step): Promise<Look> {
  let failure = (after: Look): unknown =>
    new Error(`${describe(step)} is still there, although its tool reported success${users(after)}`);
  try {
    await acting();
  } catch (error) {
    failure = () => error;
  }
  const after = await look();
  if (after.state === 'ours') throw failure(after);
  return after;
}

async function at(unwinding: Pick<Unwinding, 'engine' | 'journal'>, step: Step, boot?: string) {
  const { engine, journal } = unwinding;
  const code = await codeOf(engine, step.intent, journal.id);
  const host: ChangeHost = changing(engine, journal, { ...step.intent, ...present({ boot }) });
  return { code, journalled: { ...journalled(journal.state, step), host } };
}

function acted(lines: readonly Line[]): Acted {
  return { lines, leftUntouched: [], errors: [] };
}

function leave(step: Step, t: 'undone' | 'finished', look: Look, kept: Kept = {}): Acted {
  const found = look.found ?? 'another object is in its place';
  return {
    lines: [{ t, n: step.n, notOurs: found, ...kept }],
    leftUntouched: [describe(step, found)],
    errors: [],
  };
}

function users({ holders = [] }: Look): string {
  return holders.length === 0 ? '' : `; used by ${holders.map(({ words }) => words).join(', ')}`;
}
