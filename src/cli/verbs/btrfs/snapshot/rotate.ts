import * as api from '../../../../api/btrfs.ts';
import { rotationOf, rotationRequest } from '../../../../btrfs/rotation.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsRotated } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { notInSnapshot } from '../answers.ts';
import { keep, label } from '../options.ts';

/** Asks for confirmation only if a snapshot will be deleted. */
export default verb({
  changes: true,
  answers: 'btrfs snapshot rotate',
  args: {
    source: ['<source>', 'path of the subvolume'],
    target: ['<target>', 'directory of the snapshots, on the same filesystem'],
  },
  options: { label, keep },
  examples: ['btrfs snapshot rotate /srv/data /srv/snapshots --label daily --keep 14'],
  run: (runtime, typed) => {
    const request = rotationRequest(typed);
    const { mode, consent } = runtime.settings;
    return change<Awaited<ReturnType<typeof api.rotateSnapshots>>, BtrfsRotated>(
      runtime,
      async ({ host }) => {
        const asks = mode === 'act' && consent !== 'given';
        const surplus = asks ? (await rotationOf(host, request, new Date())).surplus : [];
        const question = `this will delete ${surplus.length} of the snapshots of the label ${request.label}:`;
        return {
          destroys:
            surplus.length === 0 ? [] : [question, ...surplus.map(({ path }) => `  ${printable(path)}`)],
          act: () =>
            api.rotateSnapshots({ ...request, agreed: asks ? surplus.map(({ uuid }) => uuid) : undefined }),
          answer: async ({ made, deleted, stays }): Promise<Answer<BtrfsRotated>> => ({
            data: {
              made: { path: made.path, id: made.id, uuid: made.uuid },
              deleted: deleted.map(({ path, id, uuid }) => ({ path, id, uuid })),
              stays: stays.map((one) => ({ ...one })),
            },
            lines: [
              `${printable(made.path)} is created`,
              ...deleted.map(({ path }) => `${printable(path)} is deleted`),
              ...(await notInSnapshot(host, request.source)),
              ...stays.map(({ path, why }) => `${printable(path)} stays: ${printable(why)}`),
            ],
          }),
        };
      },
    );
  },
});
