import {
  openJournals,
  recover as recoverJournal,
  type Recovered,
  removeJournalLeftovers,
} from '../atomic/recovery/recover.ts';
import type { AnyOperation } from '../atomic/index.ts';
import { currentBofh, refuseInside } from '../bofh.ts';
import { BofhError, JournalError } from '../core/errors.ts';
import { checkOwn, findAmong } from '../operations.ts';
import { parsed, text } from '../core/request.ts';
import * as z from 'zod/mini';

const recoverOptions = z.strictObject({
  id: z.exactOptional(text),
  operations: z.exactOptional(z.array(z.custom<AnyOperation>())),
  inUse: z.exactOptional(z.boolean()),
});

/** The options of `recover`. */
export interface RecoverRequest {
  /** Only this journal (default: all). */
  readonly id?: string;
  /** Operations of your own, besides those of the site file. */
  readonly operations?: readonly AnyOperation[];
  /** Also undoes objects that are in use now, or that others have renamed (default: false). */
  readonly inUse?: boolean;
}

/**
 * Recovers interrupted sequences, as `bofh recover` does: rolls each back, or finishes it if it was
 * committed. Leaves journals of running sequences untouched.
 *
 * Tries all of them, and then throws if some failed: the error of the only journal that failed (StuckError if
 * something is left), or a JournalError with all errors as `cause`.
 */
export async function recover(request: RecoverRequest = {}): Promise<readonly Recovered[]> {
  const { id, operations = [], inUse = false } = parsed('recover', recoverOptions, request);
  refuseInside('recover', 'alone');
  checkOwn(operations);
  const { engine: around, signals } = currentBofh();
  const engine = { ...around, find: findAmong(operations, around.find) };
  await removeJournalLeftovers(engine);
  const open = (await openJournals(engine)).filter((each) => id === undefined || each.id === id);
  const wanted = open.filter((each) => each.owner !== 'running');
  if (id !== undefined && open.length > 0 && wanted.length === 0)
    throw new JournalError(`the sequence ${id} is still running`, {
      code: 'busy',
      remedy: `wait until it ends; see it: bofh journal show ${id}`,
    });
  if (id !== undefined && wanted.length === 0)
    throw new JournalError(`there is no unfinished journal ${id}`, {
      code: 'not-found',
      remedy: 'see all of them: bofh journal list',
    });
  const done: Recovered[] = [];
  const failed: BofhError[] = [];
  for (const journal of wanted)
    try {
      const ended = await recoverJournal(journal.id, { engine, yes: inUse, ...signals });
      // Omits a journal that another process closed after it was listed.
      if (ended.end !== 'nothing-to-do' || ended.name !== '') done.push(ended);
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      failed.push(error);
    }
  const [only, ...more] = failed;
  if (only === undefined) return done;
  if (more.length === 0) throw only;
  throw new JournalError(`${String(failed.length)} journals could not be recovered`, {
    cause: new AggregateError(failed, failed.map(({ message }) => message).join('; ')),
    remedy: 'bofh journal list; bofh recover',
  });
}
