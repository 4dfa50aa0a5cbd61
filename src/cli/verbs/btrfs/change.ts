import * as api from '../../../api/btrfs.ts';
import * as btrfs from '../../../btrfs/index.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsMade, BtrfsRemoved, BtrfsSet } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs create PATH` */
export async function create(runtime: Runtime, path: string): Promise<number> {
  return change(runtime, { act: () => api.createSubvolume({ path }), answer: made });
}

/** `bofh btrfs snapshot create SOURCE PATH` */
export async function snapshot(
  runtime: Runtime,
  asked: { readonly source: string; readonly path: string; readonly mode: 'ro' | 'rw' },
): Promise<number> {
  return change(runtime, { act: () => api.snapshot(asked), answer: made });
}

function made({ path, id, uuid }: BtrfsMade): Answer<BtrfsMade> {
  return { data: { path, id, uuid }, lines: [`${printable(path)} is made: id ${id}, uuid ${uuid}`] };
}

/** `bofh btrfs remove PATH`: the very one that was confirmed. */
export async function remove(runtime: Runtime, path: string): Promise<number> {
  return change<unknown>(runtime, async ({ host }) => {
    const { shown, id, uuid } = await btrfs.subvolume(host, path);
    return {
      destroys: [`this deletes the subvolume ${printable(shown)} (id ${id}, uuid ${uuid ?? 'none'})`],
      act: () => api.removeSubvolume({ path, ...(uuid === undefined ? {} : { uuid }) }),
      answer: (): Answer<BtrfsRemoved> => ({
        data: { path, id, uuid: uuid ?? null },
        lines: [`${printable(path)} is deleted`],
      }),
    };
  });
}

/** `bofh btrfs set-default PATH` */
export async function setDefault(runtime: Runtime, path: string): Promise<number> {
  return change(runtime, {
    act: () => api.setDefaultSubvolume({ path }),
    answer: ({ id, was }): Answer<BtrfsSet> => ({
      data: { path, now: String(id), was: String(was) },
      lines: [`the default is the subvolume ${String(id)} now; it was ${String(was)}`],
    }),
  });
}

/** `bofh btrfs set-mode PATH ro|rw` */
export async function setMode(runtime: Runtime, path: string, mode: string): Promise<number> {
  if (mode !== 'ro' && mode !== 'rw') throw new UsageError(`"${mode}" is no mode: write ro or rw`);
  return change(runtime, {
    act: () => api.setProperty({ path, mode }),
    answer: ({ mode: now, was }): Answer<BtrfsSet> => ({
      data: { path, now, was },
      lines: [`${printable(path)} is ${now} now`],
    }),
  });
}
