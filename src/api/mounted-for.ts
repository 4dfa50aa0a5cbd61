import { apart, atomic, outsideSequence, renewWitnesses } from '../bofh.ts';
import { InterruptedError, RolledBackError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';

/**
 * Opens a device or mount while a body runs, in a sequence of temporary steps that is always undone at the
 * end.
 *
 * An error of the body is thrown unchanged: the mount itself did not fail, and is undone in any case.
 */
export async function mountedFor<T>(
  name: string,
  open: (tx: Tx) => Promise<string>,
  body: (path: string) => Promise<T>,
): Promise<T> {
  const outside = outsideSequence();
  let failed: { readonly error: unknown } | undefined;
  const within = async (path: string): Promise<T> => {
    try {
      return await outside(() => body(path));
    } catch (error) {
      failed = { error };
      throw error;
    } finally {
      // What the body wrote belongs to the outer sequence.
      await outside(renewWitnesses);
    }
  };
  try {
    return await apart(() => atomic(name, async (tx) => within(await open(tx))));
  } catch (error) {
    const isUndone =
      error instanceof InterruptedError ||
      (error instanceof RolledBackError && error.leftUntouched.length === 0);
    if (failed !== undefined && isUndone) throw failed.error;
    throw error;
  }
}
