import type { AnyOperation, Operation } from '../../atomic/operation.ts';
import type { SimulatedHost } from '../host.ts';
import { withoutWaiting } from './clock.ts';
import { crashes } from './crashes.ts';
import { signals } from './signals.ts';
import { toolFaults } from './tool-faults.ts';
import { type Cell, type Specimen, type Subject, subjectOf, words } from './trial.ts';

/** A fault that `operationMatrix` tries. */
export type MatrixFault = keyof typeof toolFaults | keyof typeof signals | keyof typeof crashes;

const cells: Readonly<Record<MatrixFault, Cell>> = { ...toolFaults, ...signals, ...crashes };

/** Every fault that `operationMatrix` tries. */
export const matrixFaults = Object.keys(cells) as readonly MatrixFault[];

/** What `operationMatrix` needs to try an operation. */
export interface OperationSpecimen<A> extends Pick<Specimen, 'restored' | 'heal'> {
  /**
   * Sets up on the host what the operation needs, and returns the arguments of the call. Called
   * once; each trial runs on a copy of that host.
   */
  readonly stage: (host: SimulatedHost) => A;
}

/** The trials of one fault. */
export interface TrialCounts {
  /** Number of trials: one for each access of the operation at which the fault can occur. */
  readonly trials: number;
  /** Trials after which the host had the state from before the operation. */
  readonly before: number;
  /** Trials after which the host had the state of a run without faults. */
  readonly after: number;
  /**
   * Trials in which the journal was stuck until recovery ran without the fault. Each of them is
   * also in `before`, `after` or `wrong`.
   */
  readonly stuck: number;
  /**
   * All remaining trials, each with the access, and what was left or missing. Empty if the
   * operation is right.
   */
  readonly wrong: readonly string[];
}

/**
 * Tries an operation of your own as bofh's operations are tried: on a simulated host, with every
 * fault at every access. Tools fail, act and then fail, hang, or answer garbage; the undo fails; a
 * signal comes; the process is killed, also during recovery; the host reboots; the power fails.
 * After each trial the host must be unchanged or fully changed; or a stuck journal must name what
 * is left, and recovery must finish it once the fault is gone.
 *
 * Waiting takes no time meanwhile: `setTimeout` of `node:timers/promises` returns at once, for the
 * whole process.
 *
 * @param op - the operation
 * @param specimen - what it needs, and its arguments
 * @param faults - which faults to try (default: all of `matrixFaults`)
 * @returns the counts of each fault. `trials` is 0 where a fault cannot occur.
 * @throws the error of the operation, if it fails without a fault
 * @example
 * ```ts
 * const counts = await operationMatrix(record, {
 *   stage: (host) => {
 *     host.admin.mkdir('/etc/dnsmasq.hosts');
 *     return { directory: '/etc/dnsmasq.hosts', name: 'web1', address: '192.0.2.10' };
 *   },
 * });
 * expect(Object.values(counts).flatMap(({ wrong }) => wrong)).toEqual([]);
 * ```
 */
export async function operationMatrix<A>(
  op: Operation<A>,
  specimen: OperationSpecimen<A>,
  faults: readonly MatrixFault[] = matrixFaults,
): Promise<Partial<Record<MatrixFault, TrialCounts>>> {
  const operations: readonly AnyOperation[] = [op];
  const subject = subjectOf(
    op.kind,
    {
      ...specimen,
      stage: (host) => {
        const args = specimen.stage(host);
        return (tx) => tx.step(op, args);
      },
    },
    { operations },
  );
  // An operation that fails without a fault cannot be tried.
  await subject.reference('restart');
  const counts: Partial<Record<MatrixFault, TrialCounts>> = {};
  for (const fault of faults) counts[fault] = await countTrials(cells[fault], [subject]);
  return counts;
}

/** Tries one fault on these subjects. */
export async function countTrials(cell: Cell, subjects: readonly Subject[]): Promise<TrialCounts> {
  const counts = { trials: 0, before: 0, after: 0, stuck: 0 };
  const wrong: string[] = [];
  for (const subject of subjects) {
    const title = subject.specimen.title === undefined ? '' : `${subject.specimen.title}: `;
    await withoutWaiting(async () => {
      try {
        for await (const { title: where, tried } of cell(subject)) {
          counts.trials += 1;
          if (tried.stuck) counts.stuck += 1;
          if (tried.ended === 'neither') wrong.push(`${title}${where}: ${tried.why}`);
          else counts[tried.ended] += 1;
        }
      } catch (error) {
        wrong.push(`${title}${words(error)}`);
      }
    });
  }
  return { ...counts, wrong };
}
