import { setTimeout as delay } from 'node:timers/promises';
import { formatSize } from '../core/units.ts';
import { keptFiles } from '../atomic/journal/prune.ts';
import type { Line } from '../atomic/journal/lines.ts';
import type { State } from '../atomic/journal/state.ts';
import type { Store } from '../atomic/journal/store.ts';
import { type Finding, finding } from './finding.ts';

/** A journal and its state, as input of the doctor. */
export interface KnownJournal {
  readonly id: string;
  readonly is:
    | 'running'
    | 'orphan'
    | 'unknown'
    | 'interrupted'
    | 'unconfirmed'
    | 'committed'
    | 'rolled-back'
    | 'abandoned'
    | 'unreadable';
  /** Undefined if the journal is unreadable. */
  readonly state?: State;
  /** Why it is unreadable, or was abandoned. */
  readonly because?: string;
  /** Only its last line is unreadable, and can be cut off. */
  readonly lastLine?: boolean;
}

/** Returns the reason in the last line of an abandoned journal. */
export function reasonOf(lines: readonly Line[]): string | undefined {
  const last = lines.at(-1);
  return last?.t === 'closed' ? last.because : undefined;
}

/** Reports unfinished sequences, and leftover files in the state directory. */
export async function journals(
  store: Pick<Store, 'names' | 'changedMs' | 'bytes'>,
  all: readonly KnownJournal[],
): Promise<readonly Finding[]> {
  const found = [...all.flatMap(unfinished), ...(await litter(store))];
  if (found.length > 0) return found;
  const kept = keptFiles(store);
  const sum = formatSize(kept.reduce((bytes, each) => bytes + each.bytes, 0));
  const forUndo =
    kept.length === 0 ? '' : `; old files of ${String(kept.length)} are kept for bofh undo (${sum})`;
  const says = `nothing is unfinished; ${String(all.length)} sequences have ended${forUndo}`;
  return [finding('journal', 'ok', says)];
}

function unfinished({ id, is, state, because, lastLine }: KnownJournal): readonly Finding[] {
  const name = state === undefined ? id : `${id} "${state.begin.name}"`;
  const show = ['bofh', 'journal', 'show', id];
  switch (is) {
    case 'committed':
    case 'rolled-back':
    case 'abandoned':
      return [];
    case 'running':
      return [
        finding('journal', 'ok', `the sequence ${name} is running (process ${String(state?.owner.pid)})`),
      ];
    case 'orphan':
      return [
        finding(
          'journal',
          'warning',
          `the sequence ${name} was interrupted, and a program of it is still running: recovery waits for it`,
          [show, ['bofh', 'recover', id]],
        ),
      ];
    case 'unknown':
      return [
        finding(
          'journal',
          'warning',
          `unknown whether the sequence ${name} is running: a process that /proc does not show here holds its lock`,
          [show],
        ),
      ];
    case 'unconfirmed':
      return [
        finding('journal', 'warning', `the sequence ${name} waits for its confirmation, or is rolled back`, [
          ['bofh', 'confirm', id],
          ['bofh', 'undo', id],
        ]),
      ];
    case 'interrupted': {
      const which =
        state?.committed === true
          ? 'is committed, but its steps after the commit are not finished'
          : 'was interrupted and is not undone';
      return [
        finding('journal', 'problem', `the sequence ${name} ${which}`, [show, ['bofh', 'recover', id]]),
      ];
    }
    case 'unreadable':
      return [
        finding(
          'journal',
          'problem',
          `the journal ${id} cannot be read, so bofh changes nothing on this host: ${because ?? ''}`,
          lastLine === true ? [['bofh', 'recover', '--cut-last-line', id]] : [show],
        ),
      ];
  }
}

/** Milliseconds to wait: a sequence that is just beginning or ending has such files for a moment. */
const momentMs = 1000;

/** Reports leftovers of an interrupted journal creation or archiving. */
async function litter(store: Pick<Store, 'names'>): Promise<readonly Finding[]> {
  const first = litterNow(store);
  if (first.length === 0) return [];
  await delay(momentMs);
  const still = new Set(litterNow(store));
  const left = first.filter((name) => still.has(name));
  if (left.length === 0) return [];
  const says = `a crash left unused files in the state directory: ${left.join(', ')}`;
  return [finding('journal', 'warning', says, [['bofh', 'recover']])];
}

function litterNow(store: Pick<Store, 'names'>): readonly string[] {
  const names = store.names('.');
  const open = new Set(names.flatMap((name) => /^(?<id>.+)\.(?:journal|new)$/.exec(name)?.groups?.id ?? []));
  return names.filter((name) => {
    const groups = /^(?<id>.+)\.(?<part>new|d|ballast)$/.exec(name)?.groups;
    if (groups?.id === undefined) return false;
    return groups.part === 'new' || !open.has(groups.id);
  });
}
