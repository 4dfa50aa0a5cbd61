import { ensure } from '../../../../api/ensure.ts';
import * as mount from '../../../../api/mount.ts';
import { present } from '../../../../core/present.ts';
import { ensureFlag } from '../../../runtime/ensure.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { editTable, optionsField } from '../table-edit.ts';

export default verb({
  changes: true,
  answers: 'mount crypttab add',
  args: { name: ['<name>', 'name of the mapping'], device: ['<device>', 'device, or UUID=…'] },
  options: {
    keyFile: value('<FILE>', 'key file (default: ask at boot)'),
    options: value('<LIST>', 'options, see crypttab(5)', { short: 'o', read: optionsField }),
    ensure: ensureFlag(),
  },
  examples: ['mount crypttab add data /dev/vg0/data --key-file /etc/keys/data --options luks'],
  run: (runtime, { name, device, keyFile: key = 'none', options, ensure: isEnsured }) => {
    const asked = { name, device, key, ...present({ options }) };
    return editTable(runtime, () => mount.addCrypttab(asked), {
      ensure: isEnsured ? () => ensure.mount.addCrypttab(asked) : undefined,
    });
  },
});
