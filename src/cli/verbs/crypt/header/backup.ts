import * as crypt from '../../../../api/crypt.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { CryptHeaderBackup } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

/** Never overwrites a file. */
export default verb({
  changes: true,
  answers: 'crypt header backup',
  args: {
    device: ['<device>', 'encrypted device, for example /dev/vg0/web1'],
    file: ['<file>', 'new file; it must not exist'],
  },
  examples: ['crypt header backup /dev/vg0/data /root/data.header'],
  run: (runtime, { device, file: path }) => {
    const file = pathOn(runtime, path);
    const act = () => crypt.backupHeader({ device, file });
    const answer = (saved: Awaited<ReturnType<typeof act>>): Answer<CryptHeaderBackup> => ({
      data: { device, ...saved },
      lines: [
        `${saved.file} has the header of ${device} (LUKS ${saved.uuid}), ${formatSize(saved.size)}`,
        'with it, the current keys open the device even after they are removed: protect it like a key',
      ],
    });
    return change(runtime, { act, answer }, { site: 'used' });
  },
});
