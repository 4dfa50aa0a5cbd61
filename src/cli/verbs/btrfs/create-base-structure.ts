import * as api from '../../../api/btrfs.ts';
import { structureOf } from '../../../btrfs/structure.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsStructure } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { flag, verb } from '../../runtime/verb.ts';

/** Reports which lines of /etc/fstab mount other content afterwards; edits none. */
export default verb({
  changes: true,
  answers: 'btrfs create-base-structure',
  args: {
    path: ['<path>', 'mount point of the top level'],
    name: ['<name>', 'name of the new subvolume in subvolumes/'],
  },
  options: { setDefault: flag('also make it the default subvolume') },
  examples: ['btrfs create-base-structure /mnt/top root'],
  run: (runtime, { path, name, setDefault }) => {
    const asked = { path, name, default: setDefault ? ('set' as const) : ('kept' as const) };
    return change<Awaited<ReturnType<typeof api.createBaseStructure>>, BtrfsStructure>(
      runtime,
      async ({ host }) => {
        const { data: to } = await structureOf(host, asked);
        return {
          destroys: [`this will move all data in ${printable(path)} to ${printable(to)}`],
          act: () => api.createBaseStructure(asked),
          answer: ({
            filesystem,
            subvolumes,
            snapshots,
            made,
            defaultWas,
            fstab,
          }): Answer<BtrfsStructure> => {
            const data = {
              ...{ filesystem, subvolumes, snapshots },
              made: { path: made.path, id: made.id, uuid: made.uuid },
              defaultWas: defaultWas ?? null,
              fstab: fstab.map(({ number, source, target }) => ({ line: number, source, target })),
            };
            return { data, lines: inWords(data) };
          },
        };
      },
    );
  },
});

function inWords({ made, snapshots, defaultWas, fstab }: BtrfsStructure): readonly string[] {
  const { path, id } = made;
  const inside = path.split('/').slice(-2).join('/');
  return [
    `${printable(path)} contains the data of the top level: id ${id}, uuid ${made.uuid}`,
    ...(defaultWas === null
      ? []
      : [`it is the default subvolume; the previous default was subvolume ${defaultWas}`]),
    `snapshots go into ${printable(snapshots)}: bofh btrfs snapshot rotate ${printable(path)} ${printable(snapshots)} --label daily`,
    ...fstab.map(
      ({ line, target }) =>
        `line ${line} of /etc/fstab mounts the top level on ${printable(target)}: to mount the data there, add the option subvol=${printable(inside)}`,
    ),
  ];
}
