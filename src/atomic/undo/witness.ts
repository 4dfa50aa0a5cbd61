import { type ChangeHost, shellWords } from '../../command/index.ts';
import { BofhError, ConnectionError, type Holder, RefusedError } from '../../core/errors.ts';
import { changing, codeOf, type Engine } from '../engine.ts';
import { keyInWords } from '../locks/host-key.ts';
import type { Journal } from '../journal/journal-writer.ts';
import type { Line } from '../journal/lines.ts';
import type { AnyOperation, Changed, Key } from '../operation.ts';
import { placeOf } from '../place.ts';
import { containerStep } from './next.ts';
import { conflictsOf, containerOf, isFilled, isTouched, journalled, type Step } from '../journal/state.ts';
import { unlessOutOfReach } from './out-of-reach.ts';
import { isMissing } from './missing.ts';
import { present } from '../../core/present.ts';

export interface Asking {
  readonly engine: Engine;
  readonly journal: Journal;
  /**
   * Objects that may be destroyed with what others wrote there, because the administrator named them. `all`:
   * for a dry run, which destroys nothing.
   */
  readonly discard?: ReadonlySet<Key> | 'all' | undefined;
  /** Steps into whose objects the running sequence itself may have written. */
  readonly trusted?: ReadonlySet<number> | undefined;
}

/** A step, and the steps inside its object that are destroyed with it. */
interface Undoing {
  readonly step: Step;
  readonly inside: readonly Step[];
  /** The users of the step's object, from its `look`. */
  readonly holders?: readonly Holder[] | undefined;
  /** The boot id of the step's host, if that is another host. */
  readonly boot?: string | undefined;
}

/**
 * Throws RefusedError if the undo of a step would destroy data that others wrote: into its object,
 * into objects inside it, or, for a mount or an open device, into what older steps made below it.
 *
 * Returns the steps that could not be compared, because the step itself made their devices inaccessible:
 * their own undo compares them.
 */
export async function refuseChanged(asking: Asking, undoing: Undoing): Promise<ReadonlySet<number>> {
  const { engine, journal, trusted } = asking;
  const { step: own, boot, holders } = undoing;
  const { endsAccess } = await codeOf(engine, own.intent, journal.id);
  const found: Found[] = [];
  const notCompared = new Set<number>();
  const kept = undoing.inside.filter((member) => !isDiscarded(asking, member));
  const there = await notGone(asking, kept);
  for (const { step, content } of await guards(asking, [...beneath(journal, own), own, ...there])) {
    if (content.lost === 'finished') continue;
    if (trusted?.has(step.n) === true || isDiscarded(asking, step)) continue;
    const host = changing(engine, journal, { ...step.intent, ...present({ boot }) });
    const changed = await unlessCompared(own, () =>
      content.changed({ ...asked(journal, step, host), way: 'back' }),
    ).catch((error: unknown) => {
      if (!endsAccess || step === own || !isMissing(error)) throw error;
      notCompared.add(step.n);
      return undefined;
    });
    if (changed === undefined || asking.discard === 'all') continue;
    const or = changed.fromBytes === true ? otherCause(step, (await host.facts()).boot) : undefined;
    const held = step === own && holders !== undefined ? { holders } : {};
    found.push({ step, ...held, ...changed, ...present({ or }) });
  }
  for (const member of there) {
    if (found.some(({ step }) => step === member)) continue;
    const replaced = await unlessCompared(own, () => replacedBy(asking, member));
    if (replaced !== undefined && asking.discard !== 'all') found.push({ step: member, ...replaced });
  }
  if (found.length > 0) throw refused(journal, found);
  return notCompared;
}

/**
 * Runs `look`. Undefined if it fails after an interrupted undo: that undo had compared the content, and may
 * have deactivated its volume.
 */
async function unlessCompared<T>({ compared }: Step, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (compared === true && isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * The steps whose object still exists. A power cut may lose the unsynced header of a LUKS device, and with it
 * all content of the device.
 */
async function notGone(
  { engine, journal }: Pick<Asking, 'engine' | 'journal'>,
  inside: readonly Step[],
): Promise<readonly Step[]> {
  const gone = new Set<number>();
  for (const member of inside.toSorted((one, other) => one.n - other.n)) {
    const container = containerStep(journal.state, member);
    if (container !== undefined && gone.has(container.n)) gone.add(member.n);
    else if (await isLost({ engine, journal }, member)) gone.add(member.n);
  }
  return inside.filter(({ n }) => !gone.has(n));
}

/** Whether nothing is left of a step of an earlier boot. */
async function isLost({ engine, journal }: Asking, step: Step): Promise<boolean> {
  const { intent } = step;
  if (intent.kind === 'bare' || intent.lives !== 'disk') return false;
  const { host } = placeOf(engine, intent.host);
  const code = await codeOf(engine, intent, journal.id);
  if (intent.boot === (await host.facts()).boot || code.defers(intent.undo)) return false;
  try {
    return (await code.look({ ...journalled(journal.state, step), host })).state === 'gone';
  } catch (error) {
    // The device is missing: the comparison of the content reports that.
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Throws RefusedError if others changed, since the commit, the content that the act after the commit would
 * destroy.
 */
export async function refuseOvertaken(
  asking: Asking,
  { step, code, host }: { readonly step: Step; readonly code: AnyOperation; readonly host: ChangeHost },
): Promise<void> {
  const { content } = code;
  if (
    content === undefined ||
    content.lost === 'undone' ||
    step.witness === undefined ||
    isDiscarded(asking, step)
  )
    return;
  const changed = await content.changed({ ...asked(asking.journal, step, host), way: 'forward' });
  if (changed !== undefined && asking.discard !== 'all')
    throw refused(asking.journal, [{ step, ...changed }]);
}

/** Witnesses of content that will be destroyed after the commit, taken right before it. */
export async function finalWitnesses(engine: Engine, journal: Journal): Promise<readonly Line[]> {
  const { id, state } = journal;
  const lines: Line[] = [];
  for (const step of state.steps) {
    const { n, intent, undone } = step;
    if (undone !== undefined || !intent.after || intent.kind === 'bare') continue;
    const { content } = await codeOf(engine, intent, id);
    if (content?.lost !== 'finished') continue;
    const { host } = placeOf(engine, intent.host);
    const witness = await content.witness({ ...journalled(journal.state, step), host });
    if (witness !== undefined) lines.push({ t: 'witness', n, witness });
  }
  return lines;
}

/**
 * New witnesses of objects of the sequence, because it may have written there itself: of the files
 * below a mount that is about to end (`way`), or of the devices below what just changed. Without
 * `way`: of all files; with `container`: only of that.
 */
export async function renewedWitnesses(
  { engine, journal }: Pick<Asking, 'engine' | 'journal'>,
  {
    of,
    way,
    container,
    except,
  }: {
    readonly of: 'files' | 'device';
    readonly way?: Step;
    readonly container?: Key;
    /** Steps that keep their witness. */
    readonly except?: ReadonlySet<number>;
  },
): Promise<readonly Line[]> {
  const { state } = journal;
  const reached =
    way === undefined
      ? state.steps.filter(({ undone }) => undone === undefined)
      : conflictsOf(state, way).filter(({ n }) => n < way.n || of === 'files');
  const done = reached.filter((step) => step.done !== undefined);
  const lines: Line[] = [];
  for (const { step, content } of await guards({ engine, journal }, done)) {
    if (
      step.done === undefined ||
      except?.has(step.n) === true ||
      content.lost === 'finished' ||
      content.once ||
      content.of !== of ||
      (container !== undefined && step.intent.contains !== container)
    )
      continue;
    // A power cut may have lost it; then there is nothing to compare.
    if (await isLost({ engine, journal }, step)) continue;
    const { host } = placeOf(engine, step.intent.host);
    const work = () => content.witness({ ...journalled(journal.state, step), host });
    const witness = await unlessOutOfReach(engine, journal, { step, work });
    if (witness !== undefined && witness !== step.witness) lines.push({ t: 'witness', n: step.n, witness });
  }
  return lines;
}

/** The steps below a mount whose files others have changed since their witness, or that cannot be compared. */
export async function changedBelow(
  { engine, journal }: Pick<Asking, 'engine' | 'journal'>,
  way: Step,
): Promise<ReadonlySet<number>> {
  const changed = new Set<number>();
  for (const { step, content } of await guards({ engine, journal }, conflictsOf(journal.state, way))) {
    if (content.of !== 'files' || content.lost === 'finished') continue;
    const host = changing(engine, journal, step.intent);
    try {
      if ((await content.changed({ ...asked(journal, step, host), way: 'back' })) === undefined) continue;
    } catch (error) {
      if (!(error instanceof BofhError) || error instanceof ConnectionError) throw error;
    }
    changed.add(step.n);
  }
  return changed;
}

/**
 * Steps into whose objects the body of the sequence can write now: through its mount, open device
 * or guest.
 */
export function reachedByBody({ state }: Journal): ReadonlySet<number> {
  const left = state.steps.filter(({ undone }) => undone === undefined);
  // The objects of a pair of functions without claims are unknown, so it may write anywhere.
  if (left.some(({ intent }) => intent.claims === null)) return new Set(left.map(({ n }) => n));
  const ways = left.filter(({ intent }) => intent.lives === 'boot' || intent.kind === 'bare');
  return new Set(ways.flatMap((way) => conflictsOf(state, way).map(({ n }) => n)));
}

/** Steps whose objects a program that the sequence started (a guest) writes to. */
export async function reachedByWriters(engine: Engine, { id, state }: Journal): Promise<ReadonlySet<number>> {
  const reached = new Set<number>();
  for (const step of state.steps) {
    if (step.undone !== undefined || step.intent.kind === 'bare') continue;
    const { starts } = await codeOf(engine, step.intent, id);
    if (starts !== undefined) for (const { n } of conflictsOf(state, step)) reached.add(n);
  }
  return reached;
}

interface Guard {
  readonly step: Step;
  readonly content: NonNullable<AnyOperation['content']>;
}

/**
 * The steps whose undo destroys content. Of several steps that list the files of one container only the
 * newest, which lists all of them. Each other step covers a part of a device.
 */
async function guards({ engine, journal }: Asking, steps: readonly Step[]): Promise<readonly Guard[]> {
  const newest = new Map<Key | number, Guard>();
  for (const step of steps.toSorted((one, other) => one.n - other.n)) {
    if (step.intent.kind === 'bare') continue;
    const { content } = await codeOf(engine, step.intent, journal.id);
    if (content !== undefined)
      newest.set(content.of === 'files' ? containerOf(step) : step.n, { step, content });
  }
  // A step that may change the files of several containers lists the files of all of them, also those of
  // undone steps.
  for (const [key, { step: known }] of newest)
    for (const place of typeof key === 'string' ? (journal.state.index.holders.get(key) ?? []) : []) {
      const step = journal.state.steps[place];
      if (step === undefined || step.n < known.n || step.intent.kind === 'bare') continue;
      const { content, onlyInOwn } = await codeOf(engine, step.intent, journal.id);
      if (content !== undefined && onlyInOwn) newest.set(key, { step, content });
    }
  return [...new Map([...newest.values()].map((guard) => [guard.step, guard])).values()];
}

/** The steps, not undone, into whose objects others can have written through the device or mount of this step. */
function beneath({ state }: Journal, step: Step): readonly Step[] {
  return step.intent.lives === 'boot' ? conflictsOf(state, step) : [];
}

/** Finds an object inside that of a step that others replaced: it would be removed without an undo of its own. */
async function replacedBy({ engine, journal }: Asking, step: Step): Promise<Changed | undefined> {
  if (step.intent.lives !== 'disk' || step.intent.kind === 'bare') return undefined;
  const code = await codeOf(engine, step.intent, journal.id);
  if (code.defers(step.intent.undo)) return undefined;
  const { host } = placeOf(engine, step.intent.host);
  const {
    state,
    found = 'another object is in its place',
    holders = [],
  } = await code.look({
    ...journalled(journal.state, step),
    host,
  });
  return state === 'not-ours' ? { found, holders } : undefined;
}

function asked({ state }: Journal, step: Step, host: ChangeHost) {
  return {
    ...journalled(state, step),
    host,
    ...present({ witness: step.witness }),
    touched: isTouched(state, step),
    filled: isFilled(state, step),
  };
}

function isDiscarded({ discard }: Asking, step: Step): boolean {
  return discard !== undefined && discard !== 'all' && discard.has(containerOf(step));
}

/** Another possible cause of changed bytes, if any. */
function otherCause({ intent, done }: Step, boot: string): string | undefined {
  if (done === undefined) return `${intent.kind} was cut off before it was finished`;
  return intent.boot === boot ? undefined : 'the host went down before its data was on the disk';
}

type Found = Changed & {
  readonly step: Step;
  /** Another possible cause of the change. */
  readonly or?: string;
};

function users(holders: readonly Holder[]): string {
  return holders.length === 0 ? '' : `; used by ${holders.map(({ words }) => words).join(', ')}`;
}

function refused({ id }: Journal, all: readonly Found[]): RefusedError {
  const what = all.map(({ step, found, holders = [], or }) => {
    const { host, kind } = step.intent;
    const key = keyInWords(host, containerOf(step));
    return or === undefined
      ? `${key} has changed since ${kind}: ${found}${users(holders)}`
      : `${key} is not as ${kind} leaves it: ${found}, or ${or}; which of the two is not known${users(holders)}`;
  });
  const objects = [...new Set(all.map(({ step }) => containerOf(step)))].join(',');
  return new RefusedError(`${what.join('; ')}; bofh keeps ${objects}`, {
    remedy: `save what you need, then: ${shellWords(['bofh', 'recover', id, '--discard', objects])}`,
    holders: all.flatMap(({ holders = [] }) => holders),
  });
}
