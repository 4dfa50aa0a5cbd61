import * as crypt from '../../../api/crypt.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptErase } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { header } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt erase',
  args: {
    device: ['<device>', 'encrypted device, for example /dev/vg0/web1'],
    uuid: ['<uuid>', 'UUID of the device, as confirmation'],
  },
  options: { header },
  examples: ['crypt erase /dev/vg0/data 3f0c1a4e-8a2b-4f6d-9c1e-2b7a5d8e9f10'],
  run: (runtime, { device, uuid, header: file }) => {
    const at = pathOn(runtime, file) ?? device;
    const asked = {
      destroys: [
        `all keys of ${device} (LUKS ${uuid}) will be destroyed: its data is lost, unless a backup of its header exists`,
      ],
      checksFirst: true,
      act: () => crypt.erase({ device: at, uuid }),
      answer: (): Answer<CryptErase> => ({
        data: { device, uuid },
        lines: [`${device} has no key any more: its data is lost, unless a backup of its header exists`],
      }),
    };
    return change(runtime, asked, { site: 'used' });
  },
});
