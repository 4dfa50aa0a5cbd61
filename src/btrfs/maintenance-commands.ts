import { type Answer, type Command, type ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classify } from './commands.ts';
import type { Balance, Balanced, Scrub } from './schema.ts';
import { digits } from './text.ts';

/**
 * `btrfs scrub start`, until its end; 6.14 first prints the devices. Exits with 3 if uncorrectable
 * errors are left (6.2). SIGTERM is safe: a scrub only reads, and rewrites bad copies from good
 * ones.
 */
export function scrubStart(path: string): Command<Scrub> {
  return {
    tool: 'btrfs',
    argv: ['scrub', 'start', '-B', '-R', path],
    access: 'change',
    stop: 'safe',
    accepts: [0, 3],
    parse: ({ stdout }) => {
      const head = /^(?:Starting scrub on devid \d+\n)*scrub done for (?<fs>[0-9a-f-]{36})\n/.exec(stdout);
      if (head === null) throw new ParseError('btrfs: the scrub did not report that it is complete');
      const scrub = parseScrub(stdout.slice(head[0].length));
      if (scrub.state !== 'finished') throw new ParseError(`btrfs: the scrub is ${scrub.state}`);
      return scrub;
    },
    classify: classifyMaintenance,
  };
}

/** `btrfs scrub status` of the last or running scrub, from files in /var/lib/btrfs. */
export function scrubStatus(path: string): ReadCommand<Scrub> {
  return {
    tool: 'btrfs',
    argv: ['scrub', 'status', '-R', path],
    access: 'read',
    parse: ({ stdout }) => {
      const head = /^UUID: {13}[0-9a-f-]{36}\n/.exec(stdout);
      if (head === null) throw new ParseError('btrfs: the status of the scrub has an unknown first line');
      return parseScrub(stdout.slice(head[0].length));
    },
    classify: classifyMaintenance,
  };
}

const counters = [
  ...([
    'data_extents_scrubbed',
    'tree_extents_scrubbed',
    'data_bytes_scrubbed',
    'tree_bytes_scrubbed',
  ] as const),
  ...(['read_errors', 'csum_errors', 'verify_errors', 'no_csum', 'csum_discards', 'super_errors'] as const),
  ...([
    'malloc_errors',
    'uncorrectable_errors',
    'unverified_errors',
    'corrected_errors',
    'last_physical',
  ] as const),
];

const states: Readonly<Record<string, Scrub['state']>> = {
  finished: 'finished',
  running: 'running',
  aborted: 'aborted',
  interrupted: 'interrupted',
};
const scrubHead =
  /^(?:\tno stats available\n|Scrub (?:started|resumed): {4}(?<started>.+)\nStatus: {11}(?<state>\w+)\nDuration: {9}\d+:\d\d:\d\d\n)/;

function parseScrub(text: string): Scrub {
  const head = scrubHead.exec(text);
  if (head === null) throw new ParseError('btrfs scrub status: the state of the scrub could not be parsed');
  const lines = text.slice(head[0].length).split('\n');
  const found = new Map(
    lines.slice(0, -1).map((line) => {
      const { name = '', value } = /^\t(?<name>\w+): (?<value>\d+)$/.exec(line)?.groups ?? {};
      return [name, digits(value, `what btrfs counts in ${JSON.stringify(line)}`)] as const;
    }),
  );
  if (lines.at(-1) !== '' || found.size !== counters.length || counters.some((name) => !found.has(name)))
    throw new ParseError('btrfs scrub status shows other counters than bofh knows');
  const count = (name: (typeof counters)[number]): number => found.get(name) ?? 0;
  const { started, state } = head.groups ?? {};
  const known = state === undefined ? 'never' : states[state];
  if (known === undefined) throw new ParseError(`btrfs: unknown state of a scrub: "${state ?? ''}"`);
  return {
    state: known,
    started,
    dataBytes: count('data_bytes_scrubbed'),
    metadataBytes: count('tree_bytes_scrubbed'),
    readErrors: count('read_errors'),
    checksumErrors: count('csum_errors'),
    headerErrors: count('verify_errors'),
    superblockErrors: count('super_errors'),
    memoryErrors: count('malloc_errors'),
    uncorrectable: count('uncorrectable_errors'),
    unverified: count('unverified_errors'),
    corrected: count('corrected_errors'),
  };
}

/**
 * `btrfs balance start` with filters: rewrites block groups with at most this usage. A signal
 * cancels it (Linux 6.18: "balance: canceled"); moved data stays where it is.
 */
export function balanceStart(of: {
  readonly path: string;
  readonly data: number | undefined;
  readonly metadata: number | undefined;
}): Command<Balanced> {
  const filters = [
    ...(of.data === undefined ? [] : [`-dusage=${of.data}`]),
    ...(of.metadata === undefined ? [] : [`-musage=${of.metadata}`]),
  ];
  return {
    tool: 'btrfs',
    argv: ['balance', 'start', ...filters, of.path],
    access: 'change',
    stop: 'safe',
    parse: ({ stdout }) => {
      const { moved, all } =
        /^Done, had to relocate (?<moved>\d+) out of (?<all>\d+) chunks\n$/.exec(stdout)?.groups ?? {};
      return { relocated: digits(moved, 'what was moved'), chunks: digits(all, 'what there is') };
    },
    classify: classifyMaintenance,
  };
}

/** `btrfs balance status`, which exits with 1 while a balance runs or is paused (6.2). */
export function balanceStatus(path: string): ReadCommand<Balance> {
  return {
    tool: 'btrfs',
    argv: ['balance', 'status', path],
    access: 'read',
    accepts: [0, 1],
    parse: ({ stdout, exitCode }) => {
      if (exitCode === 0 && /^No balance found on '.*'\n$/s.test(stdout)) return { state: 'none' };
      const { state, done, all, left } = balancing.exec(stdout)?.groups ?? {};
      const known = state === undefined ? undefined : balanceStates[state];
      if (exitCode !== 1 || known === undefined)
        throw new ParseError(`btrfs: ${JSON.stringify(stdout)} is not the status of a balance`);
      return {
        state: known,
        relocated: digits(done, 'what was moved'),
        expected: digits(all, 'what it moves'),
        // It may move more than it expected. After a mount with skip_balance it has no numbers.
        leftPercent: /^-?\d+$/.test(left ?? '') ? Math.max(0, Number(left)) : null,
      };
    },
    classify: classifyMaintenance,
  };
}

const balanceStates: Readonly<Record<string, Exclude<Balance['state'], 'none'>>> = {
  ...{ running: 'running', paused: 'paused' },
  ...{ 'running, cancel requested': 'cancelling', 'running, pause requested': 'pausing' },
};
const balancing =
  /^Balance on '.*' is (?<state>running|running, cancel requested|running, pause requested|paused)\n(?<done>\d+) out of about (?<all>\d+) chunks balanced \(\d+ considered\), +(?<left>-?(?:\d+|nan|inf))% left\n$/s;

/** Finds why an exclusive operation failed. */
export function classifyMaintenance(answer: Answer): ReturnType<typeof classify> {
  return /in progress|already (?:running|started)|is running/.test(answer.stderr) ? 'busy' : classify(answer);
}
