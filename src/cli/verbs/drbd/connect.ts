import * as drbd from '../../../api/drbd.ts';
import { present } from '../../../core/present.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd connect',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    discardMyData: flag('after a split brain: discard what was written on this host'),
  },
  examples: ['drbd connect web1', 'drbd connect web1 --discard-my-data'],
  run: (runtime, { name, discardMyData: discards }) => {
    const discardMyData = discards ? (true as const) : undefined;
    const loss = discards
      ? `what was written to ${name} on this host since the split brain will be lost`
      : undefined;
    return changeResource(runtime, name, {
      act: () => drbd.connect({ name, ...present({ discardMyData }) }),
      done: 'tries to connect to its peers',
      ...present({ loss }),
    });
  },
});
