import * as api from '../../../../api/btrfs.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsReplaced } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { overwriting } from '../../../runtime/overwrite.ts';
import { value, verb } from '../../../runtime/verb.ts';

/** Afterwards the replaced device has no superblock. */
export default verb({
  changes: true,
  answers: 'btrfs device replace',
  args: {
    path: ['<path>', 'directory on the filesystem'],
    device: ['<device|number>', 'device to replace, or the number of a missing device'],
    by: ['<new-device>', 'new device, for example /dev/sdc'],
  },
  options: {
    overwrite: value('<UUID|TYPE>', 'UUID, or type, of the content of the new device to overwrite'),
  },
  examples: ['btrfs device replace /srv /dev/sdb /dev/sdc'],
  run: (runtime, { path, device: named, by, overwrite }) => {
    const device = /^\d+$/.test(named) ? Number(named) : named;
    return overwriting<unknown, BtrfsReplaced>(runtime, { device: by, overwrite }, (more) => ({
      act: () => api.replaceDevice({ path, device, by, ...more }),
      answer: (): Answer<BtrfsReplaced> => ({
        data: { path, device: named, by },
        lines: [`${printable(by)} replaces ${printable(named)} in ${printable(path)}`],
      }),
    }));
  },
});
