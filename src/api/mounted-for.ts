import { apart, atomic, currentBofh, outsideSequence, renewWitnesses, withBofh } from '../bofh.ts';
import { InterruptedError, RolledBackError } from '../core/errors.ts';
import { processSignals } from '../host/process.ts';
import type { Tx } from '../operations.ts';

/**
 * Opens something while a body runs, in a sequence of temporary steps that is always undone at the
 * end.
 *
 * An error of the body is thrown as it is: the mount did not fail and is undone either way. The
 * first signal waits for the body, because without the mount it would write into the bare
 * directory.
 */
export async function mountedFor<T>(
  name: string,
  open: (tx: Tx) => Promise<string>,
  body: (path: string) => Promise<T>,
): Promise<T> {
  const outer = currentBofh();
  const outside = outsideSequence();
  const watched = outer.signals === undefined ? processSignals() : undefined;
  const { stop, abandon } = outer.signals ?? watched?.signals ?? {};
  const patient = { ...outer, signals: abandon === undefined ? {} : { stop: abandon, abandon } };
  let failed: { readonly error: unknown } | undefined;
  const within = (path: string): Promise<T> =>
    outside(() => withBofh(outer, () => body(path)))
      .catch((error: unknown) => {
        failed = { error };
        throw error;
      })
      // What the body wrote belongs to the outer sequence.
      .finally(() => outside(renewWitnesses));
  try {
    const value = await apart(() =>
      withBofh(patient, () => atomic(name, async (tx) => within(await open(tx)))),
    );
    if (stop?.aborted !== true) return value;
    throw new InterruptedError(`a signal came during "${name}"`);
  } catch (error) {
    if (failed !== undefined && error instanceof RolledBackError && error.leftAlone.length === 0)
      throw failed.error;
    throw error;
  } finally {
    watched?.release();
  }
}
