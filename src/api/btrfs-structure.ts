import { currentBofh, single } from '../bofh.ts';
import type { NewSubvolume } from '../btrfs/operations/planted.ts';
import { type Structure, structureOf } from '../btrfs/structure.ts';

/** What was made of a filesystem. */
export interface BaseStructure extends Structure {
  /** The subvolume that has what lay in the top level. */
  readonly made: NewSubvolume;
  /** The default subvolume that was; undefined where it stays. */
  readonly defaultWas?: number;
}

/**
 * Makes the structure `subvolumes/` and `snapshots/` of a filesystem whose data lie in its top level, all of it or nothing: the data
 * become the subvolume `subvolumes/NAME`, and what lay in the top level is deleted after the commit. `path` is where the top level
 * is mounted; nobody may use what lies there meanwhile. `default: 'set'` makes the subvolume what is mounted when none is named.
 */
export async function createBaseStructure(args: {
  readonly path: string;
  readonly name: string;
  readonly default?: 'kept' | 'set';
}): Promise<BaseStructure> {
  return single('btrfs.createBaseStructure', async (tx) => {
    const asked = { ...args, default: args.default ?? 'kept' };
    const structure = await structureOf(currentBofh().host, asked);
    await tx.btrfs.createSubvolume({ path: structure.subvolumes });
    await tx.btrfs.createSubvolume({ path: structure.snapshots });
    const made = await tx.btrfs.moveTopLevel({ path: structure.data });
    if (asked.default === 'kept') return { ...structure, made };
    const { was } = await tx.btrfs.setDefaultSubvolume({ path: structure.data, uuid: made.uuid });
    return { ...structure, made, defaultWas: was };
  });
}
