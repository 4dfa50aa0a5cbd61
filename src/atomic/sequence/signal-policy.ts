import { setMaxListeners } from 'node:events';
import type { Engine, Signals } from '../engine.ts';

/** What a sequence still waits for after a signal. */
export interface SignalPolicy {
  /** Aborted at the first signal: calls fail, and the undo begins when the body has ended. */
  readonly stop: AbortSignal;
  /** Aborted when the sequence no longer waits for its body. */
  readonly givenUp: AbortSignal;
  /** Aborted when the sequence waits for nothing any more: the journal stays open. */
  readonly abandon: AbortSignal;
  /** Ends the watch. */
  readonly forget: () => void;
}

/** The state of a sequence when a signal arrives. */
interface CurrentWork {
  readonly name: string;
  /** `body`: only the body itself. `call`: a function that it passed to `tx.effect` or `tx.call`. `step`: a step. */
  readonly now: () => 'body' | 'call' | 'step' | 'nothing';
  /** The last step or call. */
  readonly last: () => string | undefined;
}

/**
 * Decides the effect of each signal after the first one. Without `again` the second one leaves the journal
 * open, whatever runs. With `again` it does so only while a step or the undo runs; while code of the body runs,
 * the second Ctrl-C shows what the sequence waits for.
 */
export function signalPolicyOf(
  { stop = never(), abandon: second, again, undoNow }: Signals,
  doing: CurrentWork,
  tell: Engine['onWaiting'],
): SignalPolicy {
  const [givenUp, abandon] = [new AbortController(), new AbortController()];
  let isShown = false;
  const leave = (): void => {
    abandon.abort();
    givenUp.abort();
  };
  const heard = (): void => {
    const now = again === undefined ? 'nothing' : doing.now();
    if (now === 'nothing' || now === 'step' || givenUp.signal.aborted) leave();
    else if (!isShown) {
      isShown = true;
      tell?.(
        `"${doing.name}" is not undone yet: its function still runs, ${where(doing)}. The undo starts when it ends, or at the next signal`,
      );
    } else if (now === 'call') leave();
    else giveUp();
  };
  const giveUp = (): void => {
    if (doing.now() !== 'nothing')
      tell?.(
        `"${doing.name}" is undone now although its function still runs, ${where(doing)}: what the function writes from now on stays`,
      );
    givenUp.abort();
  };
  const watched = [
    ...[second, ...(again ?? [])].map((signal) => ({ signal, act: heard })),
    { signal: undoNow, act: giveUp },
  ];
  // Many sequences and steps may listen at the same time; this is not a leak.
  setMaxListeners(0, stop, givenUp.signal, abandon.signal, ...watched.flatMap(({ signal }) => signal ?? []));
  for (const { signal, act } of watched) {
    if (signal?.aborted === true) act();
    else signal?.addEventListener('abort', act, { once: true });
  }
  return {
    stop,
    givenUp: givenUp.signal,
    abandon: abandon.signal,
    forget: () => {
      for (const { signal, act } of watched) signal?.removeEventListener('abort', act);
    },
  };
}

function where({ now, last }: CurrentWork): string {
  const name = last();
  if (name === undefined) return 'before its first step';
  return now() === 'call' ? `in ${name}` : `after ${name}`;
}

function never(): AbortSignal {
  return new AbortController().signal;
}
