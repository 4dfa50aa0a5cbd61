import * as btrfs from '../../../../btrfs/index.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { BtrfsScrub } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'btrfs scrub status',
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs scrub status /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const { started, ...found } = await btrfs.scrub(bofh.host, path);
    const data: BtrfsScrub = { ...found, started: started ?? null };
    const errors = btrfs.errorsIn(found);
    const read = `${formatSize(data.dataBytes)} of data and ${formatSize(data.metadataBytes)} of metadata read`;
    const { paint } = runtime.terminal.look;
    give(runtime, {
      data,
      lines:
        data.state === 'never'
          ? [`${printable(path)} was never scrubbed on this host`]
          : [
              `the scrub that began at ${data.started ?? '?'} is ${data.state}: ${read}`,
              errors.length === 0 ? paint('good', 'no errors') : paint('bad', `errors: ${errors.join(', ')}`),
            ],
    });
    return 0;
  },
});
