import * as crypt from '../../../api/crypt.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptOpen } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { askForKey, header, key } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt open',
  args: { device: ['<device>', 'encrypted device, for example /dev/vg0/web1'] },
  options: {
    key,
    name: value(
      '<NAME>',
      'name below /dev/mapper (default for a device-mapper device: the name that luksNaming of the site file gives, or else the name of the device with -luks appended, for example vg0-web1-luks; for any other device: luks-UUID)',
    ),
    header,
    readOnly: flag('open it read-only'),
    readonly: flag('the same', { hidden: true }),
  },
  examples: ['crypt open /dev/vg0/data --name data'],
  run: (runtime, { device, name, readOnly, readonly, ...typed }) => {
    const asked = present({
      ...{ device, name, key: typed.key ?? askForKey, header: pathOn(runtime, typed.header) },
      mode: readOnly || readonly ? ('ro' as const) : undefined,
    });
    const act = () => crypt.open(asked);
    const answer = (opened: Awaited<ReturnType<typeof act>>): Answer<CryptOpen> => ({
      data: { device, ...opened },
      lines: [`${device} ${opened.adopted ? 'was open already' : 'is open'}: ${opened.path}`],
    });
    return change(runtime, { act, answer }, { site: 'used' });
  },
});
