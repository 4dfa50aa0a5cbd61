import { loadOperations } from '../../../src/operations.ts';
import { countTrials, type TrialCounts } from '../../../src/simulator/matrix/index.ts';
import { type Subject, subjectOf } from '../../../src/simulator/matrix/trial.ts';
import { isWhole, sampled } from '../sampled.ts';
import { cells } from './cells.ts';
import { type FaultName } from './fault-names.ts';
import { notApplicable as othersNotApplicable } from './others/not-applicable.ts';
import { type Specimen, specimens } from './specimens.ts';
import { neighbourhood } from './stage.ts';

/** What one cell came to: one kind of operation, one fault. */
export interface Counts extends Omit<TrialCounts, 'wrong'> {
  readonly kind: string;
  readonly fault: FaultName;
  readonly neither: readonly string[];
  /** Why the cell makes no sense. */
  readonly notApplicable?: string;
}

/** A kind of the registry with its specimens. */
export interface Row {
  readonly kind: string;
  /** On `tx`: `lvm.createLv`. */
  readonly method: string;
  readonly subjects: readonly Subject[];
  /** The same, with a fault at every place. */
  readonly atEveryPlace: () => readonly Subject[];
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
      const subjects = (sample: typeof sampled) =>
        all.map((specimen) =>
          subjectOf(kind, specimen, {
            newHost: neighbourhood,
            sample: (places) => sample(places, `${kind} ${specimen.title ?? ''}`),
          }),
        );
      return {
        ...{ kind, method: `${driver}.${name}`, specimens: all },
        subjects: subjects(sampled),
        atEveryPlace: () => subjects((places) => places),
      };
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

function subjectsOf(
  { specimens: all }: Row,
  subjects: readonly Subject[],
  fault: FaultName,
): readonly Subject[] {
  if (!ofTheFirst.has(fault) || isWhole) return subjects;
  const first = subjects.find((_, index) => all[index]?.notApplicable?.[fault] === undefined);
  return first === undefined ? subjects : [first];
}

/** One cell of the matrix. A cell that is said to make no sense must have no trial. */
export async function fill(row: Row, fault: FaultName): Promise<Counts> {
  const sample = await countTrials(cells[fault], subjectsOf(row, row.subjects, fault));
  const ofKind = othersNotApplicable[fault]?.kinds.has(row.kind)
    ? othersNotApplicable[fault].reason
    : undefined;
  const reasons = row.specimens.map(({ notApplicable }) => ofKind ?? notApplicable?.[fault]);
  const [reason] = reasons;
  const isNot = reasons.every((each) => each !== undefined);
  // The fault may have no effect at any place of the sample.
  const { wrong, ...counts } =
    sample.trials === 0 && !isNot && !isWhole
      ? await countTrials(cells[fault], subjectsOf(row, row.atEveryPlace(), fault))
      : sample;
  const neither = [...wrong];
  if (isNot && counts.trials > 0)
    neither.push(`it was said that this makes no sense (${reason ?? ''}), but it does`);
  if (!isNot && counts.trials === 0)
    neither.push(
      'there was nothing to try: add the kind to test/support/undo/others/not-applicable.ts, or say why in its specimen',
    );
  return {
    kind: row.kind,
    fault,
    ...counts,
    neither,
    ...(reason === undefined ? {} : { notApplicable: reason }),
  };
}
