import { constants, userInfo } from 'node:os';
import { InterruptedError } from '../core/errors.ts';
import type { Signals } from '../atomic/engine.ts';

/** The user of this process, also through sudo, and its command line. */
export function thisUser(): { readonly user: string; readonly argv: readonly string[] } {
  const sudo = process.env.SUDO_USER;
  const name = userName();
  return {
    user: sudo === undefined || sudo === name ? name : `${name} (sudo by ${sudo})`,
    // Only the program, because its arguments may be secret and would be in the journal.
    argv: process.argv.slice(1, 2),
  };
}

/** The name of the user, or the uid if the password database has no entry for it. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

const watched = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The received signals, shared by all sequences of this process. */
interface Watch {
  readonly signals: Required<Omit<Signals, 'undoNow'>>;
  readonly hear: (signal: NodeJS.Signals) => void;
  users: number;
}

let watch: Watch | undefined;

/**
 * Watches the signals that end a process, with one handler for all watchers. `release` ends the watch:
 * without a watcher a signal has its usual effect. A received signal is remembered, so that a program that
 * catches the error of one sequence cannot begin the next one. That next sequence is refused and does not
 * watch, so another signal ends the program.
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

/** A sequence of this process. */
interface Running {
  readonly name: string;
  /** Whether its journal stays open if the process ends now. */
  readonly unfinished: () => boolean;
}

const running = new Set<Running>();

/**
 * Reports a sequence that is unfinished when the process ends by itself, for example by process.exit(), by an
 * error that nothing caught, or because a promise is never settled. The returned function ends the watch.
 */
export function watchExit(sequence: Running): () => void {
  if (running.size === 0) process.on('exit', reportUnfinished);
  running.add(sequence);
  return () => {
    running.delete(sequence);
    if (running.size === 0) process.off('exit', reportUnfinished);
  };
}

/** Node's exit codes for a process that seems to have succeeded, and for a promise that was never settled. */
const saysNothing: ReadonlySet<number> = new Set([0, 13]);

function reportUnfinished(exitCode: number): void {
  const names = [...running].filter(({ unfinished }) => unfinished()).map(({ name }) => JSON.stringify(name));
  if (names.length === 0) return;
  process.stderr.write(
    `bofh: the process ended before the sequence ${names.join(', ')} did; its journal stays open: bofh recover\n`,
  );
  if (saysNothing.has(exitCode)) process.exitCode = 3;
}

/** Forgets received signals, so that sequences can begin again. Call it only while no sequence runs. */
export function forgetSignals(): void {
  if (watch !== undefined && watch.users > 0) throw new TypeError('a sequence still watches for signals');
  watch = undefined;
}

function newWatch(): Watch {
  const each = Array.from({ length: 4 }, () => new AbortController());
  const [stop, abandon, ...again] = each.map(({ signal }) => signal);
  if (stop === undefined || abandon === undefined) throw new TypeError('there are four of them');
  let counted = 0;
  const hear = (signal: NodeJS.Signals): void => {
    // The exit code is that without a handler, unless the program handles the signal too, or has set an exit
    // code.
    if (process.listenerCount(signal) === 1) process.exitCode ??= 128 + constants.signals[signal];
    // A closed terminal sends SIGHUP twice: bash to its jobs, and the kernel when bash has ended.
    // systemd sends it together with SIGTERM (SendSIGHUP=, for the session of a user). So it
    // interrupts, but is no sign that an administrator does not want to wait for the undo.
    const one = signal === 'SIGHUP' ? each[0] : each[counted];
    if (signal !== 'SIGHUP') counted += 1;
    if (one?.signal.aborted === false) one.abort(new InterruptedError(`${signal} came`, { reason: signal }));
  };
  return { signals: { stop, abandon, again }, hear, users: 0 };
}
