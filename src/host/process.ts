import { constants, userInfo } from 'node:os';
import { InterruptedError } from '../core/errors.ts';
import type { Signals } from '../atomic/engine.ts';

/** The user of this process, also through sudo, and its command line. */
export function thisUser(): { readonly user: string; readonly argv: readonly string[] } {
  const sudo = process.env.SUDO_USER;
  const name = userName();
  return {
    user: sudo === undefined || sudo === name ? name : `${name} (sudo by ${sudo})`,
    // Only the program: its arguments may be secret, and the journal keeps them.
    argv: process.argv.slice(1, 2),
  };
}

/** A uid without an entry in the password database has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

const watched = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The signals that came, of all sequences of this process. */
interface Watch {
  readonly signals: Required<Omit<Signals, 'beneath'>>;
  readonly hear: (signal: NodeJS.Signals) => void;
  users: number;
}

let watch: Watch | undefined;

/**
 * Watches the signals that end a process, with one handler for all that watch. `release` ends it:
 * without a watcher a signal does what it would do without bofh. A signal that came is remembered,
 * so that a program that catches the error of one sequence does not begin the next one. `next` of
 * such a program is refused, so nothing watches for it: another signal has to end the program.
 */
export function processSignals(next: 'refused after a signal' | 'begins' = 'refused after a signal'): {
  readonly signals: Watch['signals'];
  readonly release: () => void;
} {
  const own = (watch ??= newWatch());
  if (own.users === 0 && own.signals.stop.aborted && next === 'refused after a signal')
    return { signals: own.signals, release: () => undefined };
  if (own.users === 0) for (const signal of watched) process.on(signal, own.hear);
  own.users += 1;
  let released = false;
  return {
    signals: own.signals,
    release: () => {
      if (released) return;
      released = true;
      own.users -= 1;
      if (own.users === 0) for (const signal of watched) process.off(signal, own.hear);
    },
  };
}

/** Forgets the signals that came: sequences begin again. Only when none runs. */
export function forgetSignals(): void {
  if (watch !== undefined && watch.users > 0) throw new TypeError('a sequence still watches for signals');
  watch = undefined;
}

function newWatch(): Watch {
  const each = Array.from({ length: 4 }, () => new AbortController());
  const [stop, abandon, ...again] = each.map(({ signal }) => signal);
  if (stop === undefined || abandon === undefined) throw new TypeError('there are four of them');
  const hear = (signal: NodeJS.Signals): void => {
    // As without a handler, unless the program handles it too, or chose its own exit code.
    if (process.listenerCount(signal) === 1) process.exitCode ??= 128 + constants.signals[signal];
    each
      .find((one) => !one.signal.aborted)
      ?.abort(new InterruptedError(`${signal} came`, { reason: signal }));
  };
  return { signals: { stop, abandon, again }, hear, users: 0 };
}
