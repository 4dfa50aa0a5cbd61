import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField } from '../table-edit.ts';
import { digit } from './digit.ts';

export default verb({
  changes: true,
  args: {
    source: ['<device>', 'device, UUID=…, network share, or a word such as tmpfs'],
    target: ['<path>', 'existing directory; none for swap'],
  },
  options: {
    type: value('<TYPE>', 'filesystem type', { required: true }),
    options: value('<LIST>', 'mount options (default: defaults)', { short: 'o', read: optionsField }),
    dump: value('<NUMBER>', 'field for dump(8)', { default: '0', read: digit }),
    pass: value('<NUMBER>', 'order of the check at boot; 0: no check', { default: '0', read: digit }),
  },
  examples: ['mount fstab add /dev/vg0/data /srv --type ext4 --pass 2'],
  run: (runtime, typed) => editTable(runtime, () => mount.addFstab(present(typed))),
});
