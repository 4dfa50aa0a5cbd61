import * as vm from '../../../../api/vm.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmInterface } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { late } from '../disk/shared.ts';
import { dataOf } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm interface attach',
  args: { name: ['<name>', 'name of the guest'] },
  options: {
    bridge: value('<BRIDGE>', 'bridge for the interface (default: bridge of the site file)'),
    mac: value('<MAC>', 'MAC address of the interface (default: random)'),
  },
  examples: [
    'vm interface attach web1 --bridge br1',
    'vm interface attach web1 --bridge br1 --mac 00:16:3e:12:34:56',
  ],
  run: (runtime, { name, bridge, mac }) =>
    change(
      runtime,
      {
        act: () => vm.attachInterface(name, present({ bridge, mac })),
        answer: (made): Answer<VmInterface> => {
          const data = dataOf(made);
          return {
            data,
            lines: [`${name} has the interface ${data.mac} on ${data.bridge ?? ''}`, ...late(data)],
          };
        },
      },
      { site: 'used' },
    ),
});
