import * as btrfs from '../../../btrfs/index.ts';
import { give } from '../../output/answer.ts';
import type { BtrfsShow } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { identity } from './answers.ts';

export default verb({
  changes: false,
  answers: 'btrfs show',
  args: { path: ['<path>', 'path of the subvolume'] },
  examples: ['btrfs show /srv/data'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await btrfs.subvolume(bofh.host, path);
    const data: BtrfsShow = {
      ...identity(found),
      made: found.made ?? null,
      mode: found.mode,
      generation: found.generation,
      snapshots: found.snapshots.map(({ shown }) => shown),
    };
    give(runtime, {
      data,
      lines: [
        `${printable(data.shown)}: id ${data.id}, uuid ${data.uuid ?? 'none'}, ${data.mode}`,
        ...(data.made === null ? [] : [`made ${data.made}`]),
        ...(data.parentUuid === null ? [] : [`a snapshot of ${data.parentUuid}`]),
        ...(data.receivedUuid === null ? [] : [`received as ${data.receivedUuid}`]),
        ...data.snapshots.map((one) => `its snapshot: ${printable(one)}`),
      ],
    });
    return 0;
  },
});
