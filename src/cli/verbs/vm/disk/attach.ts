import * as vm from '../../../../api/vm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmDisk } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { dataOf, late } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm disk attach',
  args: {
    name: ['<name>', 'name of the guest'],
    device: ['<device>', 'block device of this host; the configuration gets this path'],
  },
  examples: ['vm disk attach web1 /dev/vg0/archive', 'vm disk attach web1 /dev/drbd1'],
  run: (runtime, { name, device }) =>
    change(
      runtime,
      {
        act: () => vm.attachDisk(name, device),
        answer: (made): Answer<VmDisk> => {
          const data = dataOf(made);
          return { data, lines: [`${data.disk} of ${name} is ${data.device}`, ...late(data)] };
        },
      },
      { site: 'used' },
    ),
});
