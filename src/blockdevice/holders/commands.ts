import type { ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** A domain as in `xl list`. */
export interface ListedGuest {
  /** Missing where xl prints `(null)`: the domain has no name yet, or no longer. */
  readonly name?: string;
  /** `other`: it is being saved, moved or started again, and ends or continues without help. */
  readonly state: 'running' | 'paused' | 'ended' | 'other';
}

// The columns of `xl list -v` (4.17 to 4.20); a name may contain blanks.
const row =
  /^(?<name>.*?) +(?<id>\d+) +\d+ +\d+ +[r-][b-](?<paused>[p-])(?<ended>[s-])(?<reason>[-rscwS?])[d-] +\d+\.\d [0-9a-f]{8}-/;

/** Returns the domain with this id; undefined: xl does not list it. */
export function listedGuest(domid: number): ReadCommand<ListedGuest | undefined> {
  return {
    tool: 'xl',
    argv: ['list', '-v'],
    access: 'read',
    parse: ({ stdout }) => {
      if (!stdout.startsWith('Name ')) throw new ParseError('xl list printed no table of domains');
      const rows = stdout
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => {
          const { groups } = row.exec(line) ?? {};
          if (groups === undefined) throw new ParseError(`cannot read the line "${line}"`);
          return groups;
        });
      const found = rows.find(({ id }) => id === String(domid));
      if (found === undefined) return undefined;
      const { name, paused, ended, reason = '' } = found;
      // A domain that was shut down is often shown as paused too. c: crashed, w: its watchdog
      // fired.
      const done = /[-cw]/.test(reason) ? 'ended' : 'other';
      const state = ended === 's' ? done : paused === 'p' ? 'paused' : 'running';
      return { ...(name === undefined || name === '(null)' ? {} : { name }), state };
    },
  };
}
