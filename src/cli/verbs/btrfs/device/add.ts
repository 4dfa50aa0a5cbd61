import * as api from '../../../../api/btrfs.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsDevice } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { overwriting } from '../../../runtime/overwrite.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs device add',
  args: {
    path: ['<path>', 'directory on the filesystem'],
    device: ['<device>', 'device to add, for example /dev/sdc'],
  },
  options: { overwrite: value('<UUID|TYPE>', 'UUID, or type, of the content to overwrite') },
  examples: ['btrfs device add /srv /dev/sdc'],
  run: (runtime, { path, device, overwrite }) =>
    overwriting<BtrfsDevice, BtrfsDevice>(runtime, { device, overwrite }, (more) => ({
      act: () => api.addDevice({ path, device, ...more }),
      answer: (data): Answer<BtrfsDevice> => ({
        data,
        lines: [`${printable(device)} is device ${data.devid} of ${printable(path)}`],
      }),
    })),
});
