import * as api from '../../../api/btrfs.ts';
import { rotationOf, rotationRequest } from '../../../btrfs/rotation.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsRotated } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { counted } from './rotation.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs snapshot rotate SOURCE TARGET --label LABEL`: asks only when something is to be deleted. */
export async function rotate(
  runtime: Runtime,
  asked: {
    readonly source: string;
    readonly target: string;
    readonly label: string;
    readonly keep?: string;
  },
): Promise<number> {
  const { keep, ...rest } = asked;
  const request = rotationRequest({ ...rest, ...(keep === undefined ? {} : { keep: counted(keep) }) });
  const { mode, consent } = runtime.settings;
  return change<Awaited<ReturnType<typeof api.rotateSnapshots>>>(runtime, async ({ host }) => {
    const asks = mode === 'act' && consent !== 'given';
    const surplus = asks ? (await rotationOf(host, request, new Date())).surplus : [];
    const question = `this deletes ${surplus.length} of the snapshots of the label ${request.label}:`;
    return {
      destroys: surplus.length === 0 ? [] : [question, ...surplus.map(({ path }) => `  ${printable(path)}`)],
      act: () =>
        api.rotateSnapshots({ ...request, agreed: asks ? surplus.map(({ uuid }) => uuid) : undefined }),
      answer: ({ made, deleted, stays }): Answer<BtrfsRotated> => ({
        data: {
          made: { path: made.path, id: made.id, uuid: made.uuid },
          deleted: deleted.map(({ path, id, uuid }) => ({ path, id, uuid })),
          stays: stays.map((one) => ({ ...one })),
        },
        lines: [
          `${printable(made.path)} is made`,
          ...deleted.map(({ path }) => `${printable(path)} is deleted`),
          ...stays.map(({ path, why }) => `${printable(path)} stays: ${printable(why)}`),
        ],
      }),
    };
  });
}
