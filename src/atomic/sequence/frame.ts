import { type InterruptedError, SequenceEnded, UsageError } from '../../core/errors.ts';
import type { SignalPolicy } from './signal-policy.ts';
import { interruption, untilAborted } from './signal.ts';

/** The sequence itself, or a scope of it, and its state. */
export interface Frame {
  readonly name: string;
  readonly scope: number | undefined;
  readonly parent: Frame | undefined;
  readonly running: Map<Promise<unknown>, string>;
  /** The body is running: it has not returned or thrown, and the sequence still waits for it. */
  body: boolean;
  failed: { readonly error: unknown } | undefined;
  ended: boolean;
}

export function newFrame(name: string, scope?: number, parent?: Frame): Frame {
  return { name, scope, parent, running: new Map(), body: false, failed: undefined, ended: false };
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/**
 * Runs a body to its end and waits for everything that it started. A signal only makes later calls on `tx`
 * fail. The undo does not start while the body runs, because after an unmount the body would write into the
 * directory of the mount point. If the body returns while one of its calls still runs, the sequence fails.
 */
export async function runBody<T>(
  frame: Frame,
  signals: Omit<SignalPolicy, 'forget'>,
  body: () => T | Promise<T>,
): Promise<Outcome<T>> {
  let value: { readonly value: T } | undefined;
  frame.body = true;
  try {
    value = await untilAborted(signals.givenUp, (async () => ({ value: await body() }))());
  } catch (error) {
    frame.failed ??= { error: signals.stop.aborted ? interrupted(frame, signals.stop, error) : error };
  }
  frame.body = false;
  if (signals.stop.aborted) frame.failed ??= { error: interrupted(frame, signals.stop) };
  if (frame.running.size > 0 && value !== undefined)
    frame.failed ??= { error: forgotten([...frame.running.values()]) };
  while (frame.running.size > 0 && !signals.abandon.aborted)
    await untilAborted(signals.abandon, Promise.allSettled(frame.running.keys()));
  frame.ended = true;
  if (frame.failed !== undefined) return { ok: false, error: frame.failed.error };
  return value === undefined
    ? { ok: false, error: interrupted(frame, signals.stop) }
    : { ok: true, value: value.value };
}

/** Lists a call in `running` until its promise settles. If a step fails, its frame fails. */
export function trackCall<T>(
  frame: Frame,
  call: { readonly name: string; readonly what: 'step' | 'scope'; readonly stop: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const refused = refusal(frame, call.stop);
  if (refused !== undefined) return Promise.reject(refused);
  const site: { stack?: string } = {};
  Error.captureStackTrace(site, trackCall);
  const settled: Promise<T> = Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      addSite(error, site);
      // A scope that throws has already been undone. Its parent decides whether the sequence continues.
      if (call.what === 'step')
        frame.failed ??= { error: call.stop.aborted ? interrupted(frame, call.stop, error) : error };
      throw error;
    })
    .finally(() => frame.running.delete(settled));
  frame.running.set(settled, call.name);
  // A step's failure is kept in its frame. The failure of a scope must not get lost, even if the body does
  // not await it.
  if (call.what === 'step') settled.catch(() => undefined);
  return settled;
}

/**
 * Adds to the stack of an error where the body made the call: V8 does not follow a call that is tracked, and
 * keeps only ten lines.
 */
function addSite(error: unknown, { stack: site = '' }: { readonly stack?: string }): void {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return;
  const { stack } = error;
  const lines = site.split('\n').filter((line) => /^\s+at /.test(line) && !stack.includes(line));
  // A frozen error stays as it is.
  if (lines.length > 0) Reflect.set(error, 'stack', [stack, ...lines].join('\n'));
}

/** The error for a new call if this frame or an outer one has failed or ended, or after a signal. */
export function refusal(frame: Frame, stop: AbortSignal): SequenceEnded | undefined {
  for (let each: Frame | undefined = frame; each !== undefined; each = each.parent) {
    if (each.failed !== undefined)
      return new SequenceEnded(`the sequence "${each.name}" has failed: nothing more can be done in it`, {
        cause: each.failed.error,
      });
    if (each.ended) return new SequenceEnded(`the sequence "${each.name}" has ended`);
  }
  return stop.aborted ? new SequenceEnded(`the sequence "${frame.name}" was interrupted`) : undefined;
}

function interrupted(frame: Frame, stop: AbortSignal, cause?: unknown): InterruptedError {
  // The error of the abort signal itself adds no information as a cause.
  return interruption(frame.name, stop, cause === undefined || cause === stop.reason ? {} : { cause });
}

function forgotten(names: readonly string[]): UsageError {
  return new UsageError(`the body returned while ${names.join(', ')} was running: an await is missing`);
}
