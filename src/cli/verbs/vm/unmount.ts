import * as vm from '../../../api/vm.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmUnmount } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm unmount',
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm unmount web1'],
  run: (runtime, { name }) =>
    change(
      runtime,
      {
        act: () => vm.unmount(name),
        answer: (made): Answer<VmUnmount> => {
          const mounts = made.mounts.map((each) => ({ ...each }));
          const data: VmUnmount = { name, mounts, closed: made.closed.map((each) => ({ ...each })) };
          const lines = [
            ...mounts.map(({ device, path }) => `unmounted ${device} from ${printable(path)}`),
            ...data.closed.map((each) => `closed ${each.name}, the LUKS device on ${each.device}`),
          ];
          return { data, lines: lines.length > 0 ? lines : [`nothing to do: no disk of ${name} is mounted`] };
        },
      },
      { site: 'used' },
    ),
});
