import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import { parseSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmProvision } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { named, value, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm provision',
  args: { name: ['<name>', 'name of the guest'], file: ['<file>', 'a description, see bofh host apply'] },
  options: {
    time: value('<DURATION>', 'longest time for all changes in the guest (default: 10m)', {
      read: parseDuration,
    }),
    snapshotSize: value(
      '<SIZE>',
      'space for the changes: they are made in a snapshot of each disk, which is then merged into it; thin disks need none (default: a fifth of the disk)',
      { read: named(parseSize) },
    ),
  },
  examples: ['vm provision web1 web.ts', 'vm provision web1 web.ts --time 30m --snapshot-size 2g'],
  run: (runtime, { name, file: typed, time: timeoutMs, snapshotSize }) => {
    const file = pathOn(runtime, typed);
    return change(
      runtime,
      {
        act: async () => {
          if (runtime.settings.mode === 'plan')
            runtime.terminal.line(`dry run: ${file} would run in the guest: its effect is unknown`);
          return await vm.provision(name, file, present({ timeoutMs, snapshotSize }));
        },
        answer: ({ volumes }): Answer<VmProvision> => ({
          data: { name, volumes: [...volumes] },
          lines: [`${name} is as ${printable(file)} describes it`, `start it: bofh vm start ${name}`],
        }),
      },
      { site: 'used' },
    );
  },
});
