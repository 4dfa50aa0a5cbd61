import * as z from 'zod/mini';
import { magicsNow, savedMagic } from '../blockdevice/wipe/magics.ts';
import { erased } from '../blockdevice/wipe/plan.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { planted, plantedNow } from './planted.ts';
import { witness } from './witness.ts';

/** What is journalled of a device that is to be destroyed. As long as the first of its magics is there, or its mark, that is to be done. */
export const destroyed = z
  .extend(erased, {
    magics: z.array(savedMagic),
    /** What its content was; a journal of an older version does not have it. */
    witness: z.exactOptional(witness),
    /** When it is known by the name alone that the kernel gave it in that boot. */
    boot: z.exactOptional(z.string()),
    /** Of one without a signature. */
    blank: z.exactOptional(
      z.extend(planted, {
        key: z.string(),
        /** Key of that whose destruction takes all of it along. */
        container: z.string(),
      }),
    ),
  })
  .check(
    z.refine(({ magics, blank }) => magics.length > 0 !== (blank !== undefined), 'a signature or a mark'),
  );

export type Destroyed = z.infer<typeof destroyed>;

/** How far a device is; `as it was`: there is no mark on it (yet, or any more). */
export type State =
  | { readonly is: 'to do' | 'done' | 'as it was' }
  | { readonly is: 'others'; readonly found: string };

/** By what tells that nobody has made anything there since: nothing is destroyed that was not agreed to. */
export async function stateOf(
  host: ReadHost,
  of: Destroyed,
  { path, size }: { readonly path: string; readonly size: Bytes },
): Promise<State> {
  const resized = { is: 'others', found: `${path} has another size by now` } as const;
  if (of.blank !== undefined) {
    const now = await plantedNow(host, { path, size, of: of.blank });
    if (now.state === 'others') return { is: 'others', found: now.found };
    if (now.state === 'as it was') return { is: 'as it was' };
    if (now.state === 'erased') return { is: 'done' };
    return size === of.size ? { is: 'to do' } : resized;
  }
  if (size !== of.size) return resized;
  const [first] = await magicsNow(host, { device: path, size, saved: of.magics });
  if (first?.state === 'erased') return { is: 'done' };
  if (first?.state === 'as it was' && first.around === 'as it was') return { is: 'to do' };
  return { is: 'others', found: `${path} holds something else by now` };
}
