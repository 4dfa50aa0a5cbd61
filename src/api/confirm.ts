import { confirmSequence } from '../atomic/recovery/confirmation.ts';
import type { Recovered } from '../atomic/recovery/recover.ts';
import { currentBofh, refuseInside } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { milliseconds, parsed } from '../core/request.ts';
import { sshConnection } from '../host/ssh-connection.ts';
import * as z from 'zod/mini';

const confirmOptions = z.strictObject({ extend: z.exactOptional(milliseconds.check(z.positive())) });

/**
 * Commits a sequence that waits for its confirmation (`atomic(…, { confirm })`). `id` is the id of its
 * journal. Call it from a program over a new connection, because the connection that made the change proves
 * nothing.
 *
 * Throws RefusedError if the sequence does not wait, if it is too late, or on the connection that made the
 * change; JournalError with the code `busy` while its steps run.
 */
export async function confirm(
  id: string,
  options: {
    /** Extends the wait instead: it ends this many milliseconds from now. */
    readonly extend?: number;
  } = {},
): Promise<Recovered> {
  const { extend } = parsed('confirm', confirmOptions, options);
  refuseInside('confirm', 'alone');
  const { engine, signals } = currentBofh();
  const moreSeconds = extend === undefined ? undefined : extend / 1000;
  const asked = { engine, connection: sshConnection(), moreSeconds, ...signals };
  return await naming('confirm', { id }, () => confirmSequence(id, asked));
}
