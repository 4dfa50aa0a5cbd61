import * as vm from '../../../../api/vm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmInterface } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { late } from '../disk/shared.ts';
import { dataOf } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm interface detach',
  args: {
    name: ['<name>', 'name of the guest'],
    mac: ['<mac>', 'MAC address of the interface; bofh vm show lists them'],
  },
  examples: ['vm interface detach web1 00:16:3e:12:34:56'],
  run: (runtime, { name, mac }) =>
    change(
      runtime,
      {
        act: () => vm.detachInterface(name, mac),
        answer: (made): Answer<VmInterface> => {
          const data = dataOf(made);
          return { data, lines: [`detached the interface ${data.mac} from ${name}`, ...late(data)] };
        },
      },
      { site: 'used' },
    ),
});
