import { currentBofh, single } from '../bofh.ts';
import type { NewSubvolume } from '../btrfs/operations/new-subvolume.ts';
import { type Structure, structureOf } from '../btrfs/structure.ts';
import { naming } from '../core/checks.ts';
import { parsed, text } from '../core/request.ts';
import * as z from 'zod/mini';

const structureOptions = z.strictObject({
  path: text,
  name: text,
  default: z.exactOptional(z.enum(['kept', 'set'])),
});

/** Result of `createBaseStructure`. */
export interface BaseStructure extends Structure {
  /** The subvolume that now contains the former content of the top level. */
  readonly made: NewSubvolume;
  /** Id of the former default subvolume; undefined if it did not change. */
  readonly defaultWas?: number;
}

/**
 * Creates `subvolumes/` and `snapshots/` in a filesystem that has its data in the top level, in a sequence of
 * its own: the data becomes the subvolume `subvolumes/NAME`, and the originals in the top level are deleted
 * after the commit. `path` is the mount point of the top level. Nothing may use the content meanwhile.
 * `default: 'set'` makes the new subvolume the default subvolume.
 */
export async function createBaseStructure(args: {
  /** The mount point of the top level of the filesystem, absolute. */
  readonly path: string;
  /** Name of the new subvolume in `subvolumes/`. */
  readonly name: string;
  /** `set`: the new subvolume becomes the default subvolume (default: `kept`). */
  readonly default?: 'kept' | 'set';
}): Promise<BaseStructure> {
  parsed('btrfs.createBaseStructure', structureOptions, args);
  return single('btrfs.createBaseStructure', async (tx) => {
    const asked = { ...args, default: args.default ?? 'kept' };
    const structure = await naming('btrfs.createBaseStructure', { path: asked.path, name: asked.name }, () =>
      structureOf(currentBofh().host, asked),
    );
    await tx.btrfs.createSubvolume({ path: structure.subvolumes });
    await tx.btrfs.createSubvolume({ path: structure.snapshots });
    const made = await tx.btrfs.moveTopLevel({ path: structure.data });
    if (asked.default === 'kept') return { ...structure, made };
    const { was } = await tx.btrfs.setDefaultSubvolume({ path: structure.data, uuid: made.uuid });
    return { ...structure, made, defaultWas: was };
  });
}
