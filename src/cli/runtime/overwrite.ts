import * as filesystem from '../../api/filesystem.ts';
import { withBofh } from '../../bofh.ts';
import { InterruptedError, RolledBackError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import type { Tx } from '../../operations.ts';
import { type Change, change } from './change.ts';
import type { Runtime } from './runtime.ts';
import { printable } from '../output/text.ts';

type Overwrite = NonNullable<Parameters<Tx['filesystem']['create']>[0]['overwrite']>;

/** Runs a verb that may overwrite content of a device, which the user must name and confirm. */
export async function overwriting<T, D>(
  runtime: Runtime<D>,
  { device, overwrite: named }: { readonly device: string; readonly overwrite: string | undefined },
  verb: (more: { readonly overwrite?: Overwrite }) => Change<T, NoInfer<D>>,
): Promise<number> {
  if (named === undefined) return change(runtime, verb({}));
  return change<T, D>(runtime, async (bofh) => {
    const overwrite = await withBofh(bofh, () => overwriteOf(device, named));
    const loss = `${printable(device)} will be overwritten, and its current content will be lost: ${overwrite.uuid ?? overwrite.type ?? ''}`;
    const asked = verb({ overwrite });
    return { ...asked, destroys: [loss], act: () => sayingLoss(device, asked.act) };
  });
}

/**
 * Runs an act that overwrites a device. The undo does not restore what was overwritten, so the error of an act
 * that was rolled back says that it is lost.
 */
export async function sayingLoss<T>(device: string, act: () => Promise<T>): Promise<T> {
  const before = await filesystem.probe(device);
  try {
    return await act();
  } catch (error) {
    if (before === undefined || !isRolledBack(error)) throw error;
    const now = await filesystem.probe(device).catch(() => undefined);
    if (now?.type === before.type && now.uuid === before.uuid) throw error;
    const { type, uuid } = before;
    const content = uuid === undefined ? type : `${type} ${uuid}`;
    const stays = `everything was rolled back, but the former content of ${printable(device)} is lost, because it was overwritten: ${printable(content)}`;
    const { message, cause, remedy, id, undone } = error;
    if (error instanceof InterruptedError)
      throw new InterruptedError(message, {
        ...present({ cause, remedy }),
        ...{ reason: error.reason, code: error.code, id, undone, stays },
      });
    const { leftUntouched, failed, failedOn } = error;
    throw new RolledBackError(message, { cause, remedy, id, undone, leftUntouched, failed, failedOn, stays });
  }
}

function isRolledBack(error: unknown): error is RolledBackError | InterruptedError {
  return (error instanceof RolledBackError || error instanceof InterruptedError) && error.stays === undefined;
}

/**
 * Returns the content to overwrite: its UUID if `text` is one, or else its type. blkid does not recognise a
 * btrfs stream, so bofh has a type for it.
 */
export async function overwriteOf(device: string, text: string): Promise<Overwrite> {
  const found = await filesystem.probe(device);
  const isStream = found === undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
  return isStream || found?.uuid === text ? { uuid: text } : { type: text };
}
