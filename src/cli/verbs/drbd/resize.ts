import * as drbd from '../../../api/drbd.ts';
import { present } from '../../../core/present.ts';
import { verb } from '../../runtime/verb.ts';
import { volume } from './options.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd resize',
  args: { name: ['<resource>', 'name of the resource'] },
  options: { volume },
  examples: ['drbd resize web1', 'drbd resize web1 --volume 1'],
  run: (runtime, { name, volume }) =>
    changeResource(runtime, name, {
      act: () => drbd.resize({ name, ...present({ volume }) }),
      done: 'has grown',
    }),
});
