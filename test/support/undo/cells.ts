import { crashCells } from './cells-crash.ts';
import { journalCells } from './cells-journal.ts';
import { hangsAtBoot, othersCells } from './cells-others.ts';
import { signalCells } from './cells-signal.ts';
import { toolCells } from './cells-tool.ts';
import type { FaultName } from './fault-names.ts';
import type { Subject, Tried } from './trial.ts';

/** Every trial of one fault on one specimen. */
export type Cell = (subject: Subject) => AsyncIterable<Titled>;

/** One trial, and where its fault struck. */
export interface Titled {
  readonly title: string;
  readonly tried: Tried;
}

/** The columns of the matrix: what is done in each. */
export const cells: Readonly<Record<FaultName, Cell>> = {
  ...toolCells,
  ...journalCells,
  ...signalCells,
  ...crashCells,
  ...othersCells,
  'hangs in the undo at boot': hangsAtBoot,
};
