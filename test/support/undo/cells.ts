import { crashes } from '../../../src/simulator/matrix/crashes.ts';
import { signals } from '../../../src/simulator/matrix/signals.ts';
import { toolFaults } from '../../../src/simulator/matrix/tool-faults.ts';
import type { Cell } from '../../../src/simulator/matrix/trial.ts';
import { journalCells } from './cells-journal.ts';
import { hangsAtBoot, othersCells } from './cells-others.ts';
import { undoCells } from './cells-undo.ts';
import type { FaultName } from './fault-names.ts';

/** The columns of the matrix: what is done in each. */
export const cells: Readonly<Record<FaultName, Cell>> = {
  ...toolFaults,
  ...journalCells,
  ...signals,
  ...crashes,
  ...othersCells,
  'hangs in the undo at boot': hangsAtBoot,
  ...undoCells,
};
