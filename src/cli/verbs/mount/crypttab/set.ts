import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField, refuseNoChange } from '../table-edit.ts';

export default verb({
  changes: true,
  answers: 'mount crypttab set',
  args: { mapping: ['<name>', 'name of the mapping in the line'] },
  options: {
    name: value('<NAME>', 'new name of the mapping'),
    device: value('<DEVICE>', 'new device, or UUID=…'),
    keyFile: value('<FILE>', 'key file; none: ask at boot'),
    options: value('<LIST>', 'new options, instead of all former ones; see crypttab(5)', {
      short: 'o',
      read: optionsField,
    }),
  },
  examples: ['mount crypttab set data --key-file none'],
  run: (runtime, { mapping, keyFile: key, ...fields }) => {
    const to = present({ key, ...fields });
    refuseNoChange(to, '--device, --name, --key-file or --options');
    return editTable(runtime, () => mount.changeCrypttab({ name: mapping, to }));
  },
});
