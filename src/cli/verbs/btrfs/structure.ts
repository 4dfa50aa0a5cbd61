import * as api from '../../../api/btrfs.ts';
import { structureOf } from '../../../btrfs/structure.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsStructure } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs create-base-structure PATH NAME`: says which lines of /etc/fstab show something else afterwards; it edits none. */
export async function createBaseStructure(
  runtime: Runtime,
  asked: { readonly path: string; readonly name: string; readonly default: 'kept' | 'set' },
): Promise<number> {
  return change<Made>(runtime, async ({ host }) => {
    const { data: to } = await structureOf(host, asked);
    return {
      destroys: [
        `this moves all that lies in ${printable(asked.path)} to ${printable(to)}, where it is seen from then on`,
      ],
      act: () => api.createBaseStructure(asked),
      answer: ({ filesystem, subvolumes, snapshots, made, defaultWas, fstab }): Answer<BtrfsStructure> => {
        const data = {
          ...{ filesystem, subvolumes, snapshots },
          made: { path: made.path, id: made.id, uuid: made.uuid },
          defaultWas: defaultWas ?? null,
          fstab: fstab.map(({ number, source, target }) => ({ line: number, source, target })),
        };
        return { data, lines: inWords(data) };
      },
    };
  });
}

type Made = Awaited<ReturnType<typeof api.createBaseStructure>>;

function inWords({ made, snapshots, defaultWas, fstab }: BtrfsStructure): readonly string[] {
  const { path, id } = made;
  const inside = path.split('/').slice(-2).join('/');
  return [
    `${printable(path)} has what lay in the top level: id ${id}, uuid ${made.uuid}`,
    ...(defaultWas === null ? [] : [`it is the default now; that was the subvolume ${defaultWas}`]),
    `snapshots go into ${printable(snapshots)}: bofh btrfs snapshot rotate ${printable(path)} ${printable(snapshots)} --label daily`,
    ...fstab.map(
      ({ line, target }) =>
        `line ${line} of /etc/fstab mounts the top level on ${printable(target)}: for the data it needs the option subvol=${printable(inside)}`,
    ),
  ];
}
