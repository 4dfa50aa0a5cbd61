import { loadOperations } from '../../../src/operations.ts';
import { cells } from './cells.ts';
import { withoutWaiting } from './clock.ts';
import { type FaultName } from './fault-names.ts';
import { notApplicable as othersNotApplicable } from './others/not-applicable.ts';
import { type Specimen, specimens } from './specimens.ts';
import { type Subject, subjectOf, words } from './trial.ts';

/** What one cell came to: one kind of operation, one fault. */
export interface Counts {
  readonly kind: string;
  readonly fault: FaultName;
  readonly trials: number;
  readonly before: number;
  readonly after: number;
  /** Of these: stuck on the way, and brought to the end by recovery once the cause was away. */
  readonly stuck: number;
  readonly neither: readonly string[];
  /** Why the cell makes no sense. */
  readonly notApplicable?: string;
}

/** A kind of the registry with its specimens. */
export interface Row {
  readonly kind: string;
  readonly subjects: readonly Subject[];
  readonly specimens: readonly Specimen[];
}

/** `lvm` of `lvm.lv.create`. */
export function driverOf({ kind }: Pick<Row, 'kind'>): string {
  return kind.split('.')[0] ?? '';
}

/** Every specimen under the kind that the registry has for it. */
export async function rows(): Promise<readonly Row[]> {
  const loaded: Readonly<Record<string, Readonly<Record<string, unknown>>>> = await loadOperations();
  return Object.entries(specimens).flatMap(([driver, ofDriver]) =>
    Object.entries(ofDriver).map(([name, all]: [string, readonly Specimen[]]) => {
      const code = loaded[driver]?.[name];
      const kind = typeof code === 'object' && code !== null && 'kind' in code ? String(code.kind) : '';
      return { kind, specimens: all, subjects: all.map((specimen) => subjectOf(kind, specimen)) };
    }),
  );
}

/**
 * What in `npm test` the first specimen of a kind has to do for; with BOFH_MATRIX=whole every one meets them. Two crashes at a
 * time are as many trials as all other faults together. A signal or a full disk between two acts is a matter of the engine, and
 * what happens to the bytes of the journal is the same whatever is in them: how the other specimens go back is tried by tools
 * that fail, SIGKILL and power cuts.
 */
const ofTheFirst: ReadonlySet<FaultName> = new Set([
  'second SIGKILL during recovery',
  ...(['SIGINT', 'SIGTERM', 'SIGHUP', 'disk full in the journal', 'torn tail', 'flipped bit'] as const),
]);

function subjectsOf({ subjects }: Row, fault: FaultName): readonly Subject[] {
  if (!ofTheFirst.has(fault) || process.env['BOFH_MATRIX'] === 'whole') return subjects;
  const first = subjects.find(({ specimen }) => specimen.notApplicable?.[fault] === undefined);
  return first === undefined ? subjects : [first];
}

/** One cell of the matrix. A cell that is said to make no sense must have no trial. */
export async function fill(row: Row, fault: FaultName): Promise<Counts> {
  const counts = { trials: 0, before: 0, after: 0, stuck: 0 };
  const neither: string[] = [];
  for (const subject of subjectsOf(row, fault)) {
    const title = subject.specimen.title === undefined ? '' : `${subject.specimen.title}: `;
    await withoutWaiting(async () => {
      try {
        for await (const { title: where, tried } of cells[fault](subject)) {
          counts.trials += 1;
          if (tried.stuck) counts.stuck += 1;
          if (tried.ended === 'neither') neither.push(`${title}${where}: ${tried.why}`);
          else counts[tried.ended] += 1;
        }
      } catch (error) {
        neither.push(`${title}${words(error)}`);
      }
    });
  }
  const ofKind = othersNotApplicable[fault]?.kinds.has(row.kind)
    ? othersNotApplicable[fault].reason
    : undefined;
  const reasons = row.specimens.map(({ notApplicable }) => ofKind ?? notApplicable?.[fault]);
  const [reason] = reasons;
  const isNot = reasons.every((each) => each !== undefined);
  if (isNot && counts.trials > 0)
    neither.push(`it was said that this makes no sense (${reason ?? ''}), but it does`);
  if (!isNot && counts.trials === 0) neither.push('there was nothing to try: say why in its specimen');
  return {
    kind: row.kind,
    fault,
    ...counts,
    neither,
    ...(reason === undefined ? {} : { notApplicable: reason }),
  };
}
