import type { ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** A domain as xl lists it. */
export interface ListedGuest {
  /** Missing where xl prints `(null)`: it has no name yet, or no longer. */
  readonly name?: string;
  readonly state: 'running' | 'paused' | 'ended';
}

// The columns of `xl list -v` (4.17 to 4.20); a name may have blanks.
const row =
  /^(?<name>.*?) +(?<id>\d+) +\d+ +\d+ +[r-][b-](?<paused>[p-])(?<ended>[s-])[-rscwS?][d-] +\d+\.\d [0-9a-f]{8}-/;

/** The domain with this id; undefined: xl does not list it. */
export function listedGuest(domid: number): ReadCommand<ListedGuest | undefined> {
  return {
    tool: 'xl',
    argv: ['list', '-v'],
    access: 'read',
    parse: ({ stdout }) => {
      if (!stdout.startsWith('Name ')) throw new ParseError('no table of domains');
      const found = stdout
        .split('\n')
        .map((line) => row.exec(line)?.groups)
        .find((groups) => groups?.id === String(domid));
      if (found === undefined) return undefined;
      const { name, paused, ended } = found;
      // One that was shut down is often shown as paused too.
      const state = ended === 's' ? 'ended' : paused === 'p' ? 'paused' : 'running';
      return { ...(name === undefined || name === '(null)' ? {} : { name }), state };
    },
  };
}
