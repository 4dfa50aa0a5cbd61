import * as api from '../../../api/btrfs.ts';
import * as btrfs from '../../../btrfs/index.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsRemoved } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

/** Removes only the subvolume that was confirmed, by its UUID. */
export default verb({
  changes: true,
  answers: 'btrfs remove',
  args: { path: ['<path>', 'path of the subvolume'] },
  examples: ['btrfs remove /srv/data'],
  run: (runtime, { path }) =>
    change<unknown, BtrfsRemoved>(runtime, async ({ host }) => {
      const { shown, id, uuid } = await btrfs.subvolume(host, path);
      return {
        destroys: [`this will delete the subvolume ${printable(shown)} (id ${id}, uuid ${uuid ?? 'none'})`],
        checksFirst: true,
        act: () => api.removeSubvolume(present({ path, uuid })),
        answer: (): Answer<BtrfsRemoved> => ({
          data: { path, id, uuid: uuid ?? null },
          lines: [`${printable(path)} is deleted`],
        }),
      };
    }),
});
