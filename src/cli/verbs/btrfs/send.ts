import * as api from '../../../api/btrfs.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsSentToDevice, BtrfsSentToFile } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import { pathOn } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';
import { received } from './answers.ts';

export default verb({
  changes: true,
  answers: ['btrfs send --to', 'btrfs send --to-file', 'btrfs send --to-device'],
  args: { source: ['<snapshot>', 'path of the read-only snapshot'] },
  options: {
    to: value('<DIR>', 'directory on this or another btrfs', { conflicts: ['toFile', 'toDevice'] }),
    toFile: value('<FILE>', 'new file, for bofh btrfs receive', { conflicts: ['name', 'toDevice'] }),
    toDevice: value('<DEVICE>', 'unused device; it must be blank, or its content named with --overwrite', {
      conflicts: ['name'],
    }),
    overwrite: value('<UUID|TYPE>', 'with --to-device: UUID, or type, of the content to overwrite'),
    parent: value(
      '<SNAPSHOT>',
      'send only the differences from this snapshot; the receiver must already have the snapshot',
    ),
    name: value('<NAME>', 'with --to: name of the received subvolume'),
  },
  examples: [
    'btrfs send /srv/snapshots/daily.1 --to /backup',
    'btrfs send /srv/snapshots/daily.1 --to-file /backup/daily.1.stream',
  ],
  run: (runtime, { source, parent, to, name, toFile, toDevice: device, overwrite }) => {
    const sent = present({ source: pathOn(runtime, source), parent: pathOn(runtime, parent) });
    if (device !== undefined)
      return overwriting<BtrfsSentToDevice, BtrfsSentToDevice>(runtime, { device, overwrite }, (more) => ({
        act: () => api.sendToDevice({ ...sent, device, ...more }),
        answer: (data): Answer<BtrfsSentToDevice> => ({
          data,
          lines: [`${printable(data.device)} holds all of the stream, uuid ${data.uuid}`],
        }),
      }));
    if (overwrite !== undefined) throw new UsageError('--overwrite needs --to-device');
    if (to !== undefined) {
      const asked = present({ ...sent, into: pathOn(runtime, to), name });
      return change(runtime, { act: () => api.copySubvolume(asked), answer: received });
    }
    if (toFile === undefined)
      throw new UsageError('needs a target: --to DIR, --to-file FILE or --to-device DEVICE');
    return change(runtime, {
      act: () => api.sendToFile({ ...sent, file: pathOn(runtime, toFile) }),
      answer: (data): Answer<BtrfsSentToFile> => ({
        data,
        lines: [`${printable(data.file)} holds all of the stream: ${formatSize(data.size)}`],
      }),
    });
  },
});
