import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField, refuseNoChange } from '../table-edit.ts';
import { digit } from './digit.ts';

export default verb({
  changes: true,
  answers: 'mount fstab set',
  args: { of: '<path>' },
  options: {
    device: value('<DEVICE>', ''),
    path: value('<PATH>', ''),
    type: value('<TYPE>', ''),
    options: value('<LIST>', '', { short: 'o', read: optionsField }),
    dump: value('<NUMBER>', '', { read: digit }),
    pass: value('<NUMBER>', '', { read: digit }),
  },
  examples: ['mount fstab set /srv --options noatime'],
  run: (runtime, { of, device: source, path: target, ...fields }) => {
    const to = present({ source, target, ...fields });
    refuseNoChange(to, '--device, --path, --type, --options, --dump or --pass');
    return editTable(runtime, () => mount.changeFstab({ of, to }));
  },
});
