import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField, refuseNoChange } from '../table-edit.ts';
import { digit } from './digit.ts';

export default verb({
  changes: true,
  answers: 'mount fstab set',
  args: { of: ['<path>', 'mount point of the line; for swap its device, as the line names it'] },
  options: {
    device: value('<DEVICE>', 'new device, as in bofh mount fstab add'),
    path: value('<PATH>', 'new mount point, which must exist'),
    type: value('<TYPE>', 'new filesystem type'),
    options: value('<LIST>', 'new mount options, instead of all former ones', {
      short: 'o',
      read: optionsField,
    }),
    dump: value('<NUMBER>', 'new field for dump(8)', { read: digit }),
    pass: value('<NUMBER>', 'new order of the check at boot; 0: no check', { read: digit }),
  },
  examples: ['mount fstab set /srv --options noatime'],
  run: (runtime, { of, device: source, path: target, ...fields }) => {
    const to = present({ source, target, ...fields });
    refuseNoChange(to, '--device, --path, --type, --options, --dump or --pass');
    return editTable(runtime, () => mount.changeFstab({ of, to }));
  },
});
