import * as api from '../../../../api/btrfs.ts';
import { keptOf, prunable } from '../../../../btrfs/rotation.ts';
import { UsageError } from '../../../../core/errors.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsPruned } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { flag, value, verb } from '../../../runtime/verb.ts';
import { keep, label } from '../options.ts';

/** Asks for confirmation if a snapshot will be removed. */
export default verb({
  changes: true,
  answers: 'btrfs snapshot prune',
  args: { target: ['<target>', 'directory of the snapshots'] },
  options: {
    label,
    keep,
    source: value('<SUBVOLUME>', 'only snapshots that rotations of this subvolume created', {
      conflicts: ['received'],
    }),
    received: flag('only received snapshots (btrfs receive, or send from this or another host)'),
  },
  examples: [
    'btrfs snapshot prune /srv/snapshots --source /srv/data --label daily --keep 14',
    'btrfs snapshot prune /backup/web1 --received --label daily --keep 60',
  ],
  run: (runtime, { target, label: word, keep: number, source, received }) => {
    if (source === undefined && !received)
      throw new UsageError('name the snapshots: --source SUBVOLUME, or --received');
    const request = { target, label: word, source, keep: keptOf(word, number) };
    return change<Awaited<ReturnType<typeof api.pruneSnapshots>>, BtrfsPruned>(runtime, async ({ host }) => {
      const { surplus } = await prunable(host, request);
      const question = `this will remove ${surplus.length} snapshots of the label ${word}:`;
      const paths = surplus.map(({ path }) => `  ${printable(path)}`);
      return {
        destroys: surplus.length === 0 ? [] : [question, ...paths],
        act: () => api.pruneSnapshots({ ...request, agreed: surplus.map(({ uuid }) => uuid) }),
        answer: ({ deleted, stays }): Answer<BtrfsPruned> => ({
          data: {
            deleted: deleted.map(({ path, id, uuid }) => ({ path, id, uuid })),
            stays: stays.map((one) => ({ ...one })),
          },
          lines: [
            `removed ${deleted.length} snapshots of the label ${word} in ${printable(target)}`,
            ...stays.map(({ path, why }) => `${printable(path)} stays: ${printable(why)}`),
          ],
        }),
      };
    });
  },
});
