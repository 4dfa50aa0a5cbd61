import * as z from 'zod/mini';
import { magicsNow, savedMagic } from '../blockdevice/wipe/magics.ts';
import { erased } from '../blockdevice/wipe/plan.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { marker, markerNow } from './marker.ts';
import { witness } from './witness.ts';

/**
 * Journal data of a device to erase. While its first magic or the marker exists, the act is not
 * complete.
 */
export const destroyed = z
  .extend(erased, {
    magics: z.array(savedMagic),
    /** Witness of its content; missing in journals of older versions. */
    witness: z.exactOptional(witness),
    /** The boot, if the device is known only by a kernel name of that boot. */
    boot: z.exactOptional(z.string()),
    /** For a device without a signature. */
    blank: z.exactOptional(
      z.extend(marker, {
        key: z.string(),
        /** Key of the device whose removal also removes its content. */
        container: z.string(),
      }),
    ),
  })
  .check(
    z.refine(({ magics, blank }) => magics.length > 0 !== (blank !== undefined), 'a signature or a tag'),
  );

export type Destroyed = z.infer<typeof destroyed>;

/** Progress on a device. `as it was`: the marker is not written yet, or was removed again. */
export type State =
  | { readonly is: 'to do' | 'done' | 'as it was' }
  | { readonly is: 'others'; readonly found: string };

/**
 * Returns the state. Compares the data to see whether others have written new content: only
 * confirmed content is destroyed.
 */
export async function stateOf(
  host: ReadHost,
  of: Destroyed,
  { path, size }: { readonly path: string; readonly size: Bytes },
): Promise<State> {
  const resized = { is: 'others', found: `${path} has another size now` } as const;
  if (of.blank !== undefined) {
    const now = await markerNow(host, { path, size, of: of.blank });
    if (now.state === 'others') return { is: 'others', found: now.found };
    if (now.state === 'as it was') return { is: 'as it was' };
    if (now.state === 'erased') return { is: 'done' };
    return size === of.size ? { is: 'to do' } : resized;
  }
  if (size !== of.size) return resized;
  const [first] = await magicsNow(host, { device: path, size, saved: of.magics });
  if (first?.state === 'erased') return { is: 'done' };
  if (first?.state === 'as it was' && first.around === 'as it was') return { is: 'to do' };
  return { is: 'others', found: `${path} has other content now` };
}
