import * as api from '../../../../api/btrfs.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsDevice } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs device remove',
  args: {
    path: ['<path>', 'directory on the filesystem'],
    device: ['<device>', 'device to remove, for example /dev/sdc'],
  },
  examples: ['btrfs device remove /srv /dev/sdb'],
  run: (runtime, { path, device }) =>
    change(runtime, {
      act: () => api.removeDevice({ path, device }),
      answer: (data): Answer<BtrfsDevice> => ({
        data,
        lines: [`${printable(device)} is removed from ${printable(path)}, and blank`],
      }),
    }),
});
