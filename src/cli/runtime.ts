import type { Signals } from '../atomic/index.ts';
import type { Bofh } from '../bofh.ts';
import type { Log } from './log.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What every verb works with. It is made before any driver is loaded. */
export interface Runtime {
  readonly terminal: Terminal;
  readonly log: Log;
  readonly settings: Settings;
  /** As the user typed it: `bofh vm create …`. */
  readonly commandLine: readonly string[];
  /** Noun and verb, for sentences. */
  readonly verb: string;
  readonly root: boolean;
  readonly signals: Required<Signals>;
  /** The sequences of this process that are open. */
  readonly sequences: OpenSequences;
  /** What is worked with in place of this host: a simulated one, in tests. */
  readonly bofh?: Bofh;
  /** The user's script, from the moment when it is given control: what fails then is first of all its failure. */
  script: string | undefined;
}

/** Counts the sequences that are open, by their locks. */
interface OpenSequences {
  opened(): void;
  released(): void;
  readonly count: () => number;
  /** Resolves when there is none. */
  idle(): Promise<void>;
}

/** A counter of open sequences. */
export function openSequences(): OpenSequences {
  let count = 0;
  const waiting: (() => void)[] = [];
  return {
    opened: () => {
      count += 1;
    },
    released: () => {
      count -= 1;
      if (count === 0) for (const tell of waiting.splice(0)) tell();
    },
    count: () => count,
    idle: () => (count === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
