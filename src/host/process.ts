import { userInfo } from 'node:os';
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

/**
 * Watches the signals that end a process: the first one unwinds, a second one leaves the journal
 * open. `release` removes the handlers; `received` is the first signal.
 */
export function processSignals(): {
  readonly signals: Required<Signals>;
  readonly received: () => NodeJS.Signals | undefined;
  readonly release: () => void;
} {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  let first: NodeJS.Signals | undefined;
  const heard = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) abandon.abort();
    first ??= signal;
    stop.abort();
  };
  for (const signal of watched) process.on(signal, heard);
  return {
    signals: { stop: stop.signal, abandon: abandon.signal },
    received: () => first,
    release: () => {
      for (const signal of watched) process.off(signal, heard);
    },
  };
}
