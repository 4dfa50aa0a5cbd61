import type { Command } from 'commander';
import type { Logger } from 'pino';
import type { Signals } from '../../atomic/index.ts';
import type { Bofh } from '../../connect.ts';
import type { StartedSequence } from '../errors/explanation.ts';
import type { Log } from './log.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Node.js and bofh, by absolute paths without symbolic links, as systemd units start them. */
export type Program = readonly [node: string, bofh: string];

/**
 * Context of every verb. It is created before any driver is loaded. `D` is the JSON answer of the verb:
 * `give` accepts only that. A helper that prints no answer accepts the `Runtime` of any verb.
 */
export interface Runtime<in D = never> {
  /** Never set; it only connects the runtime with the type of the answer. */
  readonly answers?: (data: D) => void;
  readonly terminal: Terminal;
  readonly log: Log;
  /** The log of `--log-file`: gets each event of each sequence, and how the command ended. */
  events?: Logger | undefined;
  /** Writes a complete answer, which may need a pager. Undefined: `terminal.answer` writes it. */
  readonly page?: ((text: string) => void) | undefined;
  readonly settings: Settings;
  /** The command line as typed: `bofh vm create …`. */
  readonly commandLine: readonly string[];
  /**
   * The command line for the journal and the system log, without arguments of a script, which may
   * be secrets.
   */
  readonly recorded: readonly string[];
  /** Noun and verb. */
  readonly verb: string;
  /** The command line with every verb that these words can mean, for completion. */
  readonly commands: (words: readonly string[]) => Promise<Command>;
  readonly root: boolean;
  readonly signals: Signals & Required<Pick<Signals, 'stop' | 'abandon'>>;
  readonly sequences: Sequences;
  /** Replaces this host by a simulated one, in tests. */
  readonly bofh?: Bofh;
  /** Replaces the program that units start, in tests. */
  readonly program?: Program;
  /** Cache of transpiled scripts (default: /var/cache/bofh). */
  readonly cacheDirectory?: string;
  /** The user's script while it runs: a failure is then reported as that of the script. */
  script: string | undefined;
  /** The site file, while it runs. */
  site?: string | undefined;
}

/** The sequences of this process: open ones by their locks, started ones by their journals. */
export interface Sequences {
  opened(): void;
  released(): void;
  /** Registers a new journal; `look` returns its state. */
  register(id: string, look: () => StartedSequence | undefined): void;
  readonly count: () => number;
  /** Resolves when no sequence is open. */
  idle(): Promise<void>;
  /** Returns each sequence that left a journal, in start order. Valid only when none is open. */
  started(): readonly StartedSequence[];
  /**
   * Rolls back all open sequences; resolves when none is left. After an unhandled error a body may wait for
   * ever, so it gets two seconds to end.
   */
  unwind(): Promise<void>;
  /** Aborted by `unwind`. */
  readonly stop: AbortSignal;
  /** Aborted by `unwind`, two seconds later. */
  readonly undoNow: AbortSignal;
}

/** Returns an empty list of sequences. */
export function openSequences(): Sequences {
  let count = 0;
  const waiting: (() => void)[] = [];
  const journals = new Map<string, () => StartedSequence | undefined>();
  const [stop, undoNow] = [new AbortController(), new AbortController()];
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
    register: (id, look) => journals.set(id, look),
    count: () => count,
    idle,
    started: () => [...journals.values()].flatMap((look) => look() ?? []),
    unwind: () => {
      stop.abort();
      if (count > 0) setTimeout(() => undoNow.abort(), 2000);
      return idle();
    },
    stop: stop.signal,
    undoNow: undoNow.signal,
  };
}
