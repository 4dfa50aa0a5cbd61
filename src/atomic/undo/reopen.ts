import {
  BofhError,
  ConnectionError,
  IdentityTaken,
  JournalError,
  messageOf,
  RefusedError,
} from '../../core/errors.ts';
import { shellWords } from '../../command/index.ts';
import { changing, codeOf, type Engine } from '../engine.ts';
import { note, type Journal } from '../journal/journal-writer.ts';
import { containerOf, journalled, type State, stepOf, type Step } from '../journal/state.ts';
import { placesOf } from '../journal/step-index.ts';
import { identityTries, json } from '../operation.ts';
import { placeOf } from '../place.ts';
import { accessTo, containerStep, destroyersOf, mountsOver, openerOf } from './next.ts';
import { describe } from './report.ts';
import { isMissing } from './missing.ts';
import { refuseUnmounted, unmounted } from './unmounted.ts';
import { changedBelow } from './witness.ts';
import { objectsOf } from '../locks/host-key.ts';

/**
 * Gives access again to the content of a step whose device is missing, because a boot or another program
 * closed a loop device or an open LUKS device of the sequence: only the content shows whether others wrote
 * there. The opened device must be undone again, in this boot.
 *
 * Returns whether anything was opened. False if the container is gone too, or if no step of the sequence gave
 * access. Throws RefusedError if the device could not be opened.
 */
export async function reopen(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  of: Step,
): Promise<boolean> {
  const container = containerStep(journal.state, of);
  if (container === undefined) return false;
  let opened = false;
  for (const access of accessTo(journal.state, of)) {
    if ((await lookAt(engine, journal, container)) === 'gone') break;
    try {
      if (await regained({ engine, journal }, access)) opened = true;
    } catch (error) {
      if (isMissing(error)) break;
      throw notOpened({ journal, of, access }, error);
    }
  }
  return opened;
}

/**
 * Mounts the filesystems on the paths of a step again, if a boot or another program unmounted them: without
 * them the step would seem to be undone already. The mounts must be undone again, in this boot.
 *
 * Returns whether anything was mounted. Throws RefusedError if a mount failed, unless the sequence made the
 * filesystem or its device, and that is gone.
 */
export async function remount(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  of: Step,
): Promise<boolean> {
  let opened = false;
  for (const mount of mountsOver(journal.state, of))
    try {
      try {
        if (await again({ engine, journal }, mount)) opened = true;
        continue;
      } catch (error) {
        if (!isMissing(error)) throw notOpened({ journal, of, access: mount }, error);
      }
      // The device is missing: the sequence may have opened it.
      for (const access of [...accessTo(journal.state, mount), mount])
        try {
          const act = access === mount ? again : regained;
          if (await act({ engine, journal }, access)) opened = true;
        } catch (error) {
          throw notOpened({ journal, of, access }, error);
        }
    } catch (error) {
      if (!(await isGone({ engine, journal }, destroyersOf(journal.state, mount)))) throw error;
    }
  return opened;
}

/**
 * For the undo of a step that closed what an older step of the sequence had opened: whether the older step has it
 * open again. If `taken`, its identity (a loop number) belongs to others now, and the older step opens it with another
 * one.
 */
export async function isOpenAgain(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  of: Step,
  { taken }: { readonly taken: boolean },
): Promise<boolean> {
  const code = await codeOf(engine, of.intent, journal.id);
  const opener = code.endsAccess ? openerOf(journal.state, of) : undefined;
  if (opener === undefined) return false;
  if ((await lookAt(engine, journal, opener)) === 'ours') return true;
  return taken && (await regained({ engine, journal }, opener));
}

/** What this process knows of the mounts that it opens again after the commit. */
export interface Reopening {
  /** By mount: the steps below it whose files others had changed before, or could not be compared. */
  readonly changed: Map<number, ReadonlySet<number>>;
  /** The mounts of a step, as their numbers: one of them failed. Not tried again for the next step. */
  readonly failed: Set<string>;
}

/**
 * After the commit: mounts the filesystem of a step again, if the sequence, a boot or another program unmounted
 * it, because what the step has to remove is in it. `failed`: it cannot be mounted, or only read-only.
 */
export async function mountToFinish(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  { changed, failed }: Reopening,
  of: Step,
): Promise<'mounted' | 'nothing' | 'failed'> {
  const mounts = mountsOver(journal.state, of);
  const path = mounts.map(({ n }) => n).join();
  if (failed.has(path)) return 'failed';
  try {
    if (!(await remount({ engine, journal }, of))) return 'nothing';
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    const later = interruptionIn(error);
    if (later !== undefined) throw later;
    failed.add(path);
    return 'failed';
  }
  for (const mount of mounts)
    if (stepOf(journal.state, mount.n) !== mount)
      changed.set(mount.n, await changedBelow({ engine, journal }, mount));
  return 'mounted';
}

/** The error that does not tell whether the filesystem can be mounted: a recovery tries again. */
function interruptionIn(error: Error): BofhError | undefined {
  if (error instanceof ConnectionError || error instanceof JournalError) return error;
  return error.cause instanceof Error ? interruptionIn(error.cause) : undefined;
}

/** What was opened again for this step, and for no other one that is left, newest first. */
export function reopenedFor(state: State, of: Step): readonly Step[] {
  const open = new Set(reopenedOver(state, of));
  // The next step usually needs all of them: then no further step is looked at.
  for (const place of placesOf(state.index.unfinished, 'oldest')) {
    if (open.size === 0) break;
    const step = state.steps[place];
    if (step !== undefined && step.n !== of.n) for (const way of waysTo(state, step)) open.delete(way);
  }
  return [...open];
}

/** What was opened again for this step, newest first. */
export function reopenedOver(state: State, of: Step): readonly Step[] {
  return waysTo(state, of)
    .filter(({ reopened }) => reopened === true)
    .toSorted((a, b) => b.n - a.n);
}

/** The mounts over a step, and what gave access to their devices. */
function waysTo(state: State, step: Step): readonly Step[] {
  return mountsOver(state, step).flatMap((mount) => [mount, ...accessTo(state, mount)]);
}

/** Whether the object of one of these steps is gone, for example after a power cut. */
async function isGone(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  steps: readonly Step[],
): Promise<boolean> {
  for (const step of steps) if ((await lookAt(engine, journal, step)) === 'gone') return true;
  return false;
}

/** Why the files of this step only seem to be gone, and until when. */
export async function whyHidden(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  of: Step,
): Promise<{ readonly why: string; readonly until: string } | undefined> {
  const isAway = (path: string) => ({
    why: `${path} is not mounted any more, and what the step had to remove may still exist in it`,
    until: 'when it is mounted again',
  });
  for (const mount of mountsOver(journal.state, of)) {
    if ((await lookAt(engine, journal, mount)) === 'ours') continue;
    const point = objectsOf(mount.intent).find((key) => key.startsWith('mnt:'));
    return isAway(point?.slice('mnt:'.length) ?? describe(mount));
  }
  const { was, over } = (await unmounted(engine, journal.state, of)) ?? {};
  if (over === undefined) return was === undefined ? undefined : isAway(was.path);
  return {
    why: `a filesystem is mounted over it at ${over.path}, and what the step had to remove may still exist below`,
    until: `after ${shellWords(['umount', over.path])}`,
  };
}

/** Runs a step again. False if its object exists, or if the step cannot run again. */
async function regained(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  access: Step,
): Promise<boolean> {
  const code = await codeOf(engine, access.intent, journal.id);
  if (code.again === undefined || (await lookAt(engine, journal, access)) === 'ours') return false;
  return again({ engine, journal }, access);
}

function notOpened(
  { journal, of, access }: { readonly journal: Journal; readonly of: Step; readonly access: Step },
  cause: unknown,
): RefusedError {
  const { code = 'refused', remedy = 'remove the cause' } = cause instanceof BofhError ? cause : {};
  const discard = shellWords(['bofh', 'recover', journal.id, '--discard', containerOf(of)]);
  return new RefusedError(`${describe(access)} could not be done again: ${messageOf(cause)}`, {
    ...{ code, cause },
    remedy: `${remedy}; then: bofh recover ${journal.id}; or, to give up the content: ${discard}`,
  });
}

async function again(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  { n, intent }: Step,
): Promise<boolean> {
  const code = await codeOf(engine, intent, journal.id);
  const { host } = placeOf(engine, intent.host);
  for (let attempt = 1; ; attempt += 1) {
    const undo = await code.again?.({ undo: intent.undo, host });
    if (undo === undefined) return false;
    const { boot } = await host.facts();
    // Before the act, so that a recovery after a kill knows what this one left open.
    note(journal, [{ t: 'again', n, boot, undo }]);
    try {
      const result = await code.run({
        ...{ args: intent.args, undo: json(undo) },
        host: changing(engine, journal, { ...intent, boot }),
      });
      note(journal, [{ t: 'done', n, result }]);
      return true;
    } catch (error) {
      if (!(error instanceof IdentityTaken) || attempt === identityTries) throw error;
    }
  }
}

async function lookAt(
  engine: Engine,
  journal: Journal,
  step: Step,
): Promise<'ours' | 'gone' | 'not-ours' | 'out of reach'> {
  const now = stepOf(journal.state, step.n) ?? step;
  const code = await codeOf(engine, now.intent, journal.id);
  const { host } = placeOf(engine, now.intent.host);
  try {
    const look = await code.look({ ...journalled(journal.state, now), host });
    await refuseUnmounted({ engine, journal }, now, look);
    return look.state;
  } catch (error) {
    if (isMissing(error)) return 'out of reach';
    throw error;
  }
}
