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

/** Watches the signals that end a process. `release` removes the handlers. */
export function processSignals(): { readonly signals: Required<Omit<Signals, 'beneath'>>; readonly release: () => void } {
  const each = Array.from({ length: 4 }, () => new AbortController());
  const [stop, abandon, ...again] = each.map(({ signal }) => signal);
  if (stop === undefined || abandon === undefined) throw new TypeError('there are four of them');
  const heard = (): void => each.find(({ signal }) => !signal.aborted)?.abort();
  for (const signal of watched) process.on(signal, heard);
  return {
    signals: { stop, abandon, again },
    release: () => {
      for (const signal of watched) process.off(signal, heard);
    },
  };
}
