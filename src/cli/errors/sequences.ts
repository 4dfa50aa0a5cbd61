import { decode } from '../../atomic/journal/lines.ts';
import { describe } from '../../atomic/undo/report.ts';
import { fold, isLeft, type State } from '../../atomic/journal/state.ts';
import type { Store } from '../../atomic/journal/store.ts';
import { RolledBackError, StuckError } from '../../core/errors.ts';
import type { StartedSequence, Explanation } from './explanation.ts';
import { messageOf, oneLine, printable } from '../output/text.ts';

/** Returns the state of a sequence; undefined if it has no journal, so that it changed nothing. */
export function startedIn(store: Store, id: string): StartedSequence | undefined {
  try {
    const state = stateIn(store, id);
    return state === undefined ? undefined : resultOf(state);
  } catch (error) {
    // An unknown state is reported as open.
    return { id, name: '?', end: 'open', left: [`its journal cannot be read: ${oneLine(messageOf(error))}`] };
  }
}

function stateIn(store: Store, id: string): State | undefined {
  for (const name of [`${id}.journal`, `history/${id}.journal`]) {
    const file = store.open(name);
    if (file === undefined) continue;
    try {
      return fold(decode(file.read(), name).lines);
    } finally {
      file.close();
    }
  }
  return undefined;
}

function resultOf(state: State): StartedSequence {
  const { id, name } = state.begin;
  const left = state.steps
    .filter((step) => isLeft(state, step))
    .map((step) => printable(`left: step ${String(step.n)} ${describe(step, step.blocked?.message)}`));
  if (state.closed === undefined) return { id, name, end: 'open', left };
  return { id, name, end: state.closed === 'committed' ? 'committed' : 'undone', left: [] };
}

/**
 * Returns an explanation that also covers earlier sequences of this process, because a script can start many.
 * A leftover is worse than every other result.
 */
export function withStarted(
  explanation: Explanation,
  error: unknown,
  started: readonly StartedSequence[],
): Explanation {
  const reportedIds = reportedIn(error);
  const committed = started.filter(({ end }) => end === 'committed');
  const open = started.filter(({ id, end }) => end === 'open' && !reportedIds.has(id));
  const undone = started.filter(({ end }) => end === 'undone');
  const others = open.filter(({ id }) => !(error instanceof StuckError) || id !== error.id);
  if (committed.length + open.length === 0) return explanation;
  const facts = [
    ...(others.length === 0
      ? []
      : [`${inWords(others)} could not be finished or rolled back, and the journal stays open`]),
    ...(committed.length === 0
      ? []
      : [`${inWords(committed)} ${are(committed)} committed and ${stay(committed)}`]),
    ...(undone.length === 0 ? [] : [`${inWords(undone)} ${are(undone)} undone`]),
  ].join('; ');
  const stuck = explanation.exitCode === 3;
  const [first] = open;
  return {
    ...explanation,
    host: stuck ? [explanation.host, ...(facts === '' ? [] : [facts])].join('; ') : `changed: ${facts}`,
    details: [...explanation.details, ...lines(committed, 'committed'), ...open.flatMap(leftOf)],
    ...(first === undefined || stuck
      ? {}
      : { class: 'StuckError', next: `bofh journal show ${first.id}; bofh recover`, exitCode: 3 }),
  };
}

/**
 * Returns the sequence that the error itself reports: a stuck one, or one that was rolled back, whose journal
 * may lack a line.
 */
function reportedIn(error: unknown): ReadonlySet<string | undefined> {
  if (error instanceof RolledBackError) return new Set([error.id]);
  if (error instanceof StuckError && error.blocked.length + error.remaining.length > 0)
    return new Set([error.id]);
  return new Set();
}

/** Names up to three sequences; the lines below name the rest. */
export function inWords(sequences: readonly StartedSequence[]): string {
  if (sequences.length > 3) return `${String(sequences.length)} sequences`;
  return sequences.map(({ id, name }) => printable(`"${name}" (${id})`)).join(', ');
}

const are = ({ length }: readonly unknown[]): string => (length === 1 ? 'is' : 'are');
const stay = ({ length }: readonly unknown[]): string => (length === 1 ? 'stays' : 'stay');

const most = 20;

/** A sequence that the sentence already names needs no line. */
function lines(sequences: readonly StartedSequence[], word: string): readonly string[] {
  if (sequences.length <= 3) return [];
  const more = sequences.length - most;
  return [
    ...sequences.slice(0, most).map(({ id, name }) => printable(`${word}: "${name}" (${id})`)),
    ...(more > 0 ? [`${word}: ${String(more)} more; bofh journal list has them all`] : []),
  ];
}

function leftOf({ id, name, left }: StartedSequence): readonly string[] {
  return [printable(`unfinished: "${name}" (${id})`), ...left.map((line) => `  ${line}`)];
}
