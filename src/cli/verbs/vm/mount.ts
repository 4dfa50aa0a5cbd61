import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmMount } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm mount',
  args: {
    name: ['<name>', 'name of the guest'],
    directory: ['[directory]', 'empty directory (default: a new one below /run/bofh/mnt)'],
  },
  options: { readOnly: flag('mount it read-only') },
  examples: ['vm mount web1', 'vm mount web1 /mnt --read-only'],
  run: (runtime, { name, directory, readOnly }) => {
    const path = pathOn(runtime, directory);
    return change(
      runtime,
      {
        act: () => vm.mount(name, { ...(readOnly ? { mode: 'ro' as const } : {}), ...present({ path }) }),
        answer: (made): Answer<VmMount> => {
          const data: VmMount = { name, ...made, mounts: made.mounts.map((each) => ({ ...each })) };
          return { data, lines: inWords(data) };
        },
      },
      { site: 'used' },
    );
  },
});

function inWords({ name, path, changed, mounts }: VmMount): readonly string[] {
  return [
    changed
      ? `the disks of ${name} are mounted on ${printable(path)}`
      : `nothing to do: the disks of ${name} are mounted on ${printable(path)} already`,
    ...mounts.map(
      (each) =>
        `  ${printable(each.device)} on ${printable(each.path)}${each.mode === 'ro' ? ', read-only' : ''}`,
    ),
    `before ${name} can start: bofh vm unmount ${name}`,
  ];
}
