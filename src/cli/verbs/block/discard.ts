import * as block from '../../../api/block.ts';
import { verb } from '../../runtime/verb.ts';
import { eraseDevice, overwriteAll } from './erasure.ts';

export default verb({
  changes: true,
  answers: 'block discard',
  args: { device: ['<device>', 'block device, for example /dev/sdb'] },
  options: { overwrite: overwriteAll },
  examples: ['block discard /dev/sdb --overwrite 3f0c1a4e-8a2b-4f6d-9c1e-2b7a5d8e9f10'],
  run: (runtime, { device, overwrite = [] }) =>
    eraseDevice(runtime, { device, overwrite }, { act: block.discard, done: 'is discarded' }),
});
