import type { Signals } from '../../atomic/index.ts';
import type { Bofh } from '../../bofh.ts';
import type { Begun } from '../errors/explanation.ts';
import type { Log } from './log.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Node and bofh, by absolute paths without links, as systemd units start them. */
export type Program = readonly [node: string, bofh: string];

/** What every verb works with. It is made before any driver is loaded. */
export interface Runtime {
  readonly terminal: Terminal;
  readonly log: Log;
  readonly settings: Settings;
  /** As the user typed it: `bofh vm create …`. */
  readonly commandLine: readonly string[];
  /** The same as the journal and the system log keep it: a script's own arguments may be secrets. */
  readonly recorded: readonly string[];
  /** Noun and verb, for sentences. */
  readonly verb: string;
  readonly root: boolean;
  readonly signals: Required<Signals>;
  readonly sequences: Sequences;
  /** What is worked with in place of this host: a simulated one, in tests. */
  readonly bofh?: Bofh;
  /** The program that units start, in place of this one: in tests. */
  readonly program?: Program;
  /** Where transpiled scripts are kept; /var/cache/bofh unless told otherwise. */
  readonly cacheDirectory?: string;
  /** The user's script, from the moment when it is given control: what fails then is first of all its failure. */
  script: string | undefined;
  /** The site file, while it has control. */
  site?: string | undefined;
}

/** The sequences of this process: those that are open, by their locks, and those that it began, by their journals. */
export interface Sequences {
  opened(): void;
  released(): void;
  /** A journal is made; `look` tells what has become of it. */
  born(id: string, look: () => Begun | undefined): void;
  readonly count: () => number;
  /** Resolves when none is open. */
  idle(): Promise<void>;
  /** What has become of each that left a journal, in the order of their beginning. Right when none is open. */
  begun(): readonly Begun[];
  /** Undoes whatever is open; resolves when none is. */
  unwind(): Promise<void>;
  /** Aborted by `unwind`. */
  readonly stop: AbortSignal;
}

/** No sequence yet. */
export function openSequences(): Sequences {
  let count = 0;
  const waiting: (() => void)[] = [];
  const journals = new Map<string, () => Begun | undefined>();
  const stop = new AbortController();
  const idle = (): Promise<void> =>
    count === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  return {
    opened: () => {
      count += 1;
    },
    released: () => {
      count -= 1;
      if (count === 0) for (const tell of waiting.splice(0)) tell();
    },
    born: (id, look) => journals.set(id, look),
    count: () => count,
    idle,
    begun: () => [...journals.values()].flatMap((look) => look() ?? []),
    unwind: () => {
      stop.abort();
      return idle();
    },
    stop: stop.signal,
  };
}
