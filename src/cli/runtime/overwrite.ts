import * as filesystem from '../../api/filesystem.ts';
import { withBofh } from '../../bofh.ts';
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
    return { ...verb({ overwrite }), destroys: [loss] };
  });
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
