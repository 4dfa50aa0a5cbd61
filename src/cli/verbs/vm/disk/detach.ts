import * as vm from '../../../../api/vm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmDisk } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { flag, verb } from '../../../runtime/verb.ts';
import { dataOf, disk as diskArgument, late } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm disk detach',
  args: { name: ['<name>', 'name of the guest'], disk: diskArgument },
  options: {
    now: flag(
      'also detach it from the running guest; unmount it there first: bofh cannot see whether it is mounted, and the guest can lose data',
    ),
  },
  examples: ['vm disk detach web1 data', 'vm disk detach web1 xvdc --now'],
  run: (runtime, { name, disk, now }) =>
    change(
      runtime,
      {
        act: () => vm.detachDisk(name, disk, { now }),
        answer: (made): Answer<VmDisk> => {
          const data = dataOf(made);
          return {
            data,
            lines: [
              `detached ${data.disk} from ${name}; ${data.device} and its data stay`,
              'a line for it in the /etc/fstab of the guest stays too: remove it there, or the guest may not boot',
              ...late(data),
            ],
          };
        },
      },
      { site: 'used' },
    ),
});
