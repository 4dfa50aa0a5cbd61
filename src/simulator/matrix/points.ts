import type { Access, Fault, FaultMode } from '../faults/faults.ts';
import { type Ending, run, type Subject } from './trial.ts';
import { present } from '../../core/present.ts';

/** An access of a run without faults, at which a fault can occur. */
export interface Point {
  /** A change by a program or to a file, a read by a program, or a write to the journal. */
  readonly what: 'program' | 'file' | 'question' | 'journal';
  /** Whether the access is in the body, or after it, in the engine or the undo. */
  readonly when: 'body' | 'ending';
  readonly tool: string;
  readonly verb: string;
  readonly title: string;
  /** Returns a fault that occurs only at this access. */
  readonly fault: (mode: FaultMode, times?: number) => Fault;
}

export type Ends = 'well' | 'badly';

const kept = new WeakMap<Subject, Map<Ends, Promise<readonly Point[]>>>();

/** Returns every access of a run that ends well, or badly, in order. */
export function pointsOf(subject: Subject, ends: Ends): Promise<readonly Point[]> {
  const known = kept.get(subject) ?? new Map<Ends, Promise<readonly Point[]>>();
  kept.set(subject, known);
  const points = known.get(ends) ?? count(subject, ends);
  known.set(ends, points);
  return points;
}

async function count(subject: Subject, ends: Ends): Promise<readonly Point[]> {
  const staged = subject.start();
  const counter = counterOf();
  let when: Point['when'] = 'body';
  const points: Point[] = [];
  staged.host.faults.watch((access) => {
    const point = counter(access);
    if (point !== undefined) points.push({ ...point, when });
  });
  const ending = await run(staged, { ends, onBodyEnds: () => (when = 'ending') });
  if ((ending.how === 'done') !== (ends === 'well')) throw unexpected(ending);
  return points;
}

function unexpected(ending: Ending): unknown {
  return ending.how === 'thrown' ? ending.error : new Error(`a run without faults ended by "${ending.how}"`);
}

/** Turns accesses into points, counted as the faults count them. */
export function counterOf(): (access: Access) => Omit<Point, 'when'> | undefined {
  const counts = new Map<string, number>();
  const nthOf = (key: string): number => {
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    return nth;
  };
  return ({ tool, argv, access }) => {
    const isQuestion = access === 'read';
    if (isQuestion && tool === 'file') return undefined;
    const what =
      tool === 'store' ? 'journal' : tool === 'file' ? 'file' : isQuestion ? 'question' : 'program';
    const key = isQuestion ? `read ${tool}` : what === 'journal' ? 'journal' : 'change';
    const nth = nthOf(key);
    const of = isQuestion
      ? ({ tool, access } as Fault)
      : what === 'journal'
        ? { tool: 'store' as const }
        : {};
    return {
      what,
      tool,
      verb: argv[0] ?? '',
      title: `${nth}: ${tool} ${argv.join(' ').replaceAll(/[0-9a-f]{12}/g, 'ID')}`,
      fault: (mode, times) => ({ ...of, nth, mode, ...present({ times }) }),
    };
  };
}
