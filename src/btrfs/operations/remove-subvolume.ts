import { inWords, remedyFor } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { subvolumeDelete } from '../commands.ts';
import { anyRoot } from '../place.ts';
import { called, defaultOf, everyHolderOf, subvolumeById } from '../reads.ts';
import type { Subvolume } from '../schema.ts';

interface Of {
  readonly fs: string;
  readonly subvolume: Subvolume;
}

/**
 * RefusedError if a subvolume cannot be removed: it contains another one, it is the default, or it
 * is mounted anywhere (btrfs 6.2 would delete a mounted one).
 */
export async function refuseHeld(host: ReadHost, of: Of): Promise<void> {
  const who = await everyHolderOf(host, of);
  if (who.length > 0)
    throw new RefusedError(`${called(of.subvolume)} is in use: ${inWords(who)}`, {
      remedy:
        remedyFor(who) ??
        `see its subvolumes: bofh btrfs list ${await anyRoot(host, of.fs)}; then remove those in it first`,
      holders: who,
    });
  if ((await defaultOf(host, of.fs)) === of.subvolume.id)
    throw new RefusedError(
      `${called(of.subvolume)} is the default subvolume of its filesystem: it is mounted if subvol= and subvolid= are missing`,
      {
        remedy: 'set another default first: bofh btrfs set-default PATH',
      },
    );
}

/** Deletes a subvolume by its id, and checks that it is gone. */
export async function deleteById(host: ChangeHost, of: Of): Promise<void> {
  await refuseHeld(host, of);
  const { fs, subvolume } = of;
  const root = await anyRoot(host, fs);
  await host.run(subvolumeDelete({ root, id: subvolume.id }));
  if ((await subvolumeById(host, { fs, id: subvolume.id })) !== undefined)
    throw new RefusedError(`btrfs did not delete ${called(subvolume)}`, {
      remedy: `to see the reason, delete it yourself: btrfs subvolume delete --subvolid ${subvolume.id} ${root}; then: bofh recover`,
    });
}
