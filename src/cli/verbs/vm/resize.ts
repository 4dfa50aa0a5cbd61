import * as vm from '../../../api/vm.ts';
import type { Bofh } from '../../../connect.ts';
import { present } from '../../../core/present.ts';
import { planVmResize } from '../../../vm/resize.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { inWords, plannedStack, sizeOf, stackOptions } from '../block/resizing.ts';

export default verb({
  changes: true,
  answers: 'vm resize',
  dashes: true,
  args: {
    name: ['<name>', 'name of the guest'],
    disk: [
      '<disk>',
      'root, or its name in the guest, for example xvda, or the name that was passed to vm disk create or vm create --disk',
    ],
    size: ['<size>', '20g, +5g, -1g, min or max'],
  },
  options: stackOptions,
  examples: ['vm resize web1 root +5g', 'vm resize web1 xvdb 20g'],
  run: (runtime, { name, disk, size, key, on }) => {
    const to = sizeOf(size);
    const options = present({ key, on });
    const act = () => vm.resize(name, disk, to, options);
    const look = async (bofh: Bofh) => {
      if (runtime.settings.mode === 'plan') {
        const { device, what } = await planVmResize(bofh.host, { site: bofh.site, name, disk, to });
        return () => plannedStack(runtime, bofh, { device, what, to, ...options }, act);
      }
      return {
        act,
        answer: (made: vm.ResizedVm): Answer<VmResize> => {
          const { domid = null, warnings, layers, ...rest } = made;
          const data = { name, domid, ...rest, warnings: [...warnings], layers: [...layers] };
          const inside =
            domid === null || layers.every(({ when }) => when === 'unchanged')
              ? []
              : [
                  `${name} runs, so the filesystem on ${made.disk} did not grow: when lsblk in the guest shows the new size, grow it there (resize2fs, xfs_growfs)`,
                ];
          return { data, lines: [...inWords(data), ...inside] };
        },
      };
    };
    return change(runtime, look, { site: 'used' });
  },
});
