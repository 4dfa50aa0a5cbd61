import { styleText } from 'node:util';
import type { ColorWhen } from '../runtime/settings.ts';
import { localTime } from './times.ts';

/** The meaning of each colour. The text has the same information, for readers without colours. */
const styles = { good: 'green', warning: 'yellow', bad: 'red', dim: 'dim', heading: 'bold' } as const;

export type TextStyle = keyof typeof styles;

/** Words of states and outcomes. A word that is missing here has no colour. */
const words: Readonly<Record<Exclude<TextStyle, 'heading'>, readonly string[]>> = {
  good: [
    ...['running', 'up', 'ok', 'installed', 'committed', 'done', 'finished', 'attached'],
    ...['Primary', 'UpToDate', 'Connected'],
  ],
  warning: [
    ...['paused', 'half-built', 'building', 'dying', 'down', 'warning', 'absent', 'outdated', 'foreign'],
    ...['started', 'orphan', 'abandoned', 'cannot tell from here', 'still at work, left untouched'],
    ...['unconfirmed', 'waits for its confirmation', 'next start', 'until stop'],
    ...['its last line is cut off', 'Unknown', 'Outdated', 'Consistent', 'DUnknown', 'Attaching'],
    ...['Detaching', 'Negotiating', 'Connecting', 'Unconnected', 'Disconnecting', 'TearDown'],
    ...['WFConnection', 'WFReportParams'],
    ...['StartingSyncS', 'StartingSyncT', 'WFBitMapS', 'WFBitMapT', 'WFSyncUUID', 'SyncSource'],
    ...['SyncTarget', 'PausedSyncS', 'PausedSyncT', 'Ahead', 'Behind'],
  ],
  bad: [
    ...[
      'crashed',
      'shut down, but still in xl list',
      'shutdown',
      'problem',
      'interrupted',
      'blocked',
      'unreadable',
    ],
    ...['stays open', 'Inconsistent', 'Failed', 'Diskless', 'StandAlone', 'Timeout', 'BrokenPipe'],
    ...['NetworkFailure', 'ProtocolError'],
  ],
  dim: ['off', 'closed', 'undone', 'rolled-back', 'nothing to do'],
};

const meanings = new Map<string, TextStyle>();
for (const meaning of ['good', 'warning', 'bad', 'dim'] as const)
  for (const word of words[meaning]) meanings.set(word, meaning);

/** Colours a text that is already escaped; returns it unchanged if there is no colour. */
export type Paint = (as: TextStyle | undefined, text: string) => string;

export const plain: Paint = (_as, text) => text;

// By default, styleText checks stdout itself, differently in Node 20 and 24.
const colored: Paint = (as, text) =>
  as === undefined || text === '' ? text : styleText(styles[as], text, { validateStream: false });

/** Colours a word by its meaning in the table above. */
export function paintWord(paint: Paint, word: string): string {
  return paint(meanings.get(word), word);
}

/** A cell of a table: a text, a text with the meaning of its colour, or a time in ISO 8601. */
export type Cell =
  | string
  | { readonly text: string; readonly as: TextStyle | undefined }
  | { readonly time: string };

/** A cell in the colour of its meaning (default: that of its word). */
export function stated(text: string, as: TextStyle | undefined = meanings.get(text)): Cell {
  return { text, as };
}

/** The settings for the display of an answer. */
export interface Look {
  readonly paint: Paint;
  /** Width of the screen; Infinity if the reader is not a terminal. */
  readonly columns: number;
  /** Rows of the screen; Infinity if there is no terminal for a pager. */
  readonly rows: number;
  readonly time: (iso: string) => string;
}

/** For a pipe or a file. */
export const plainLook: Look = {
  paint: plain,
  columns: Number.POSITIVE_INFINITY,
  rows: Number.POSITIVE_INFINITY,
  time: localTime,
};

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Whether a stream gets colour. `auto`: a terminal, unless TERM is dumb or NO_COLOR is not empty; FORCE_COLOR
 * takes precedence, as in Node.js: 0 or false means no colour.
 */
export function paintFor(when: ColorWhen, { isTTY }: { readonly isTTY: boolean }, env: Env): Paint {
  if (when !== 'auto') return when === 'always' ? colored : plain;
  const { FORCE_COLOR: force = '', NO_COLOR: no = '', TERM: term } = env;
  if (force !== '') return force === '0' || force === 'false' ? plain : colored;
  return isTTY && term !== 'dumb' && no === '' ? colored : plain;
}
