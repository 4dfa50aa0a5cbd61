import { closedJournals, journalOf } from '../atomic/journal/scan.ts';
import { undoSequence } from '../atomic/recovery/undo-sequence.ts';
import { recover, type Recovered } from '../atomic/recovery/recover.ts';
import { currentBofh, refuseInside } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { parsed } from '../core/request.ts';
import * as z from 'zod/mini';

const undoOptions = z.strictObject({ inUse: z.exactOptional(z.boolean()) });

/**
 * Undoes a committed sequence, step by step, newest first, as a sequence of its own; or rolls back a sequence
 * that waits for its confirmation. `id` is the id of its journal.
 *
 * Throws RefusedError, with nothing changed, if that is not possible any more: a newer sequence or another
 * program changed its objects, they are in use, or the commit removed something that the undo needs. Throws
 * StuckError if the undo cannot finish: `recover()` continues it.
 */
export async function undo(
  id: string,
  options: {
    /** Also undoes objects that are in use now (default: false). */
    readonly inUse?: boolean;
  } = {},
): Promise<Recovered> {
  const { inUse = false } = parsed('undo', undoOptions, options);
  refuseInside('undo', 'alone');
  const { engine, signals } = currentBofh();
  return await naming('undo', { id }, () =>
    journalOf(engine, id)?.state.awaiting === undefined
      ? undoSequence(id, closedJournals(engine), { engine, yes: inUse, ...signals })
      : recover(id, { engine, yes: true, unconfirmed: true, ...signals }),
  );
}
