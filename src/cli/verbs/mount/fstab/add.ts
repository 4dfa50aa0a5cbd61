import { ensure } from '../../../../api/ensure.ts';
import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { ensureFlag } from '../../../runtime/ensure.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField } from '../table-edit.ts';
import { digit } from './digit.ts';

export default verb({
  changes: true,
  answers: 'mount fstab add',
  args: {
    source: ['<device>', 'device, UUID=…, network share, or a word such as tmpfs'],
    target: ['<path>', 'mount point, which must exist; for swap the word "none"'],
  },
  options: {
    type: value('<TYPE>', 'filesystem type', { required: true }),
    options: value('<LIST>', 'mount options (default: defaults)', { short: 'o', read: optionsField }),
    dump: value('<NUMBER>', 'field for dump(8) (default: 0)', { read: digit }),
    pass: value('<NUMBER>', 'order of the check at boot; 0: no check (default: 0)', { read: digit }),
    ensure: ensureFlag(),
  },
  examples: ['mount fstab add /dev/vg0/data /srv --type ext4 --pass 2'],
  run: (runtime, { ensure: isEnsured, ...typed }) =>
    editTable(runtime, () => mount.addFstab(present(typed)), {
      ensure: isEnsured ? () => ensure.mount.addFstab(present(typed)) : undefined,
    }),
});
