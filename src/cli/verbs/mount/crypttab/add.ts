import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField } from '../table-edit.ts';

export default verb({
  changes: true,
  args: { name: ['<name>', 'name of the mapping'], device: ['<device>', 'device, or UUID=…'] },
  options: {
    keyFile: value('<FILE>', 'key file (default: ask at boot)'),
    options: value('<LIST>', 'options, see crypttab(5)', { short: 'o', read: optionsField }),
  },
  examples: ['mount crypttab add data /dev/vg0/data --key-file /etc/keys/data --options luks'],
  run: (runtime, { name, device, keyFile: key = 'none', options }) =>
    editTable(runtime, () => mount.addCrypttab({ name, device, key, ...present({ options }) })),
});
