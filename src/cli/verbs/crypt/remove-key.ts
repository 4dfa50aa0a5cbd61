import * as crypt from '../../../api/crypt.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptKey } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { header, keySlot } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt remove-key',
  args: {
    device: ['<device>', 'encrypted device, for example /dev/vg0/web1'],
    slot: ['<slot>', 'number of the key slot, as bofh crypt show shows it'],
  },
  options: { header },
  examples: ['crypt remove-key /dev/vg0/data 1'],
  run: (runtime, { device, slot: typedSlot, header: file }) => {
    const slot = keySlot(typedSlot, 'slot');
    const at = pathOn(runtime, file) ?? device;
    const asked = {
      destroys: [
        `the key in slot ${slot} of ${device} will be destroyed: it will never open this device again`,
      ],
      checksFirst: true,
      act: () => crypt.removeKey({ device: at, slot }),
      answer: (): Answer<CryptKey> => ({
        data: { device, slot },
        lines: [`${device} no longer has a key in slot ${slot}`],
      }),
    };
    return change(runtime, asked, { site: 'used' });
  },
});
