import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmRename } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { stopOptions } from './stop-options.ts';

const { time, force } = stopOptions;

export default verb({
  changes: true,
  answers: 'vm rename',
  args: { name: ['<name>', 'name of the guest'], to: ['<to>', 'new name'] },
  options: {
    restart: flag('shut it down first if it is running, and start it again under its new name'),
    time,
    force,
  },
  examples: ['vm rename web1 web2', 'vm rename web1 web2 --restart'],
  run: (runtime, { name, to, restart, time: timeoutMs, force: isForced }) =>
    change(
      runtime,
      {
        act: () => vm.rename(name, to, { restart, force: isForced, ...present({ timeoutMs }) }),
        answer: (renamed, { site }): Answer<VmRename> => {
          const { config, volumes, kept, domid = null } = renamed;
          const data: VmRename = {
            ...{ name: to, was: name, config: config.to, kept: [...kept], domid },
            volumes: volumes.map(({ vg, name: was, to: now }) => ({
              was: `${vg}/${was}`,
              volume: `${vg}/${now}`,
            })),
          };
          const ordered = site.startOrder.includes(name)
            ? [`startOrder of the site file still names ${name}`]
            : [];
          return { data, lines: [...inWords(data), ...ordered] };
        },
      },
      { site: 'used' },
    ),
});

function inWords({ name, was, config, volumes, kept, domid }: VmRename): readonly string[] {
  return [
    `${was} is renamed to ${name}, configured in ${printable(config)}${domid === null ? '' : `, and runs as domain ${String(domid)}`}`,
    ...volumes.map((each) => `  ${each.was} is renamed to ${each.volume}`),
    ...kept.map((disk) => `  the disk ${printable(disk)} keeps its name`),
    'its host name inside the guest stays as it is',
  ];
}
