import * as crypt from '../../../../api/crypt.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { CryptHeaderRestore } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'crypt header restore',
  args: {
    device: ['<device>', 'encrypted device, for example /dev/vg0/web1'],
    file: ['<file>', 'the backup file'],
  },
  options: {
    overwrite: value(
      '<UUID>',
      'current UUID of the device, if the backup has another UUID or another volume key',
    ),
  },
  examples: ['crypt header restore /dev/vg0/data /root/data.header'],
  run: (runtime, { device, file: path, overwrite }) => {
    const file = pathOn(runtime, path);
    const act = () => crypt.restoreHeader(present({ device, file, overwrite }));
    const answer = (restored: Awaited<ReturnType<typeof act>>): Answer<CryptHeaderRestore> => ({
      data: { device, ...restored },
      lines: [`${device} has the header of ${restored.file}: LUKS ${restored.uuid}`],
    });
    const destroys = [
      `the header of ${device} will be replaced by ${file}: keys that were added after this backup will not open the device`,
      ...(overwrite === undefined ? [] : [`its current header, ${overwrite}, will be lost`]),
    ];
    return change(runtime, { destroys, act, answer }, { site: 'used' });
  },
});
