import * as btrfs from '../../../btrfs/index.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { BtrfsUsage } from '../../output/answers/index.ts';
import { fullness, percentOf } from '../../output/fullness.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'btrfs usage',
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs usage /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await btrfs.usage(bofh.host, path);
    const data: BtrfsUsage = {
      ...found,
      spaces: found.spaces.map((one) => ({ ...one, devices: one.devices.map((share) => ({ ...share })) })),
      unallocatedOn: found.unallocatedOn.map((share) => ({ ...share })),
    };
    const { paint } = runtime.terminal.look;
    give(runtime, {
      data,
      lines: [
        `${formatSize(data.size)}: used ${paint(fullness(percentOf(data.used, data.size)), formatSize(data.used))}, free ${formatSize(data.free)} (at least ${formatSize(data.freeAtLeast)})`,
        `not allocated: ${formatSize(data.unallocated)}`,
        ...(data.missing === 0 ? [] : [paint('bad', `on missing devices: ${formatSize(data.missing)}`)]),
        ...data.spaces.map(
          ({ kind, profile, size, used }) =>
            `${kind} (${profile}): ${formatSize(used)} of ${formatSize(size)}`,
        ),
      ],
    });
    return 0;
  },
});
