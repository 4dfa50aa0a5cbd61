import * as block from '../../../api/block.ts';
import { verb } from '../../runtime/verb.ts';
import { eraseDevice, overwriteAll } from './erasure.ts';

export default verb({
  changes: true,
  answers: 'block zero',
  args: { device: ['<device>', 'block device, for example /dev/sdb'] },
  options: { overwrite: overwriteAll },
  examples: ['block zero /dev/sdb --overwrite blank'],
  run: (runtime, { device, overwrite = [] }) =>
    eraseDevice(runtime, { device, overwrite }, { act: block.zero, done: 'is filled with zeros' }),
});
