import * as lvm from '../../../api/lvm.ts';
import { verb } from '../../runtime/verb.ts';
import { changeActivation } from './activation.ts';

export default verb({
  changes: true,
  answers: 'lvm activate',
  args: { volume: ['<vg/name>', 'logical volume, for example vg0/web1'] },
  examples: ['lvm activate vg0/web1'],
  run: (runtime, { volume }) => changeActivation(runtime, volume, lvm.activateLv),
});
