import * as vm from '../../../../api/vm.ts';
import { formatSize } from '../../../../core/units.ts';
import { findBase } from '../../../../vm/bases.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmBase } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm base remove',
  args: { name: ['<name>', 'name of the system or image, as bofh vm base list shows it'] },
  examples: ['vm base remove trixie-2026-11-26'],
  run: (runtime, { name }) =>
    change<vm.GuestBase, VmBase>(
      runtime,
      async ({ host }) => {
        const { path, size } = await findBase(host, name);
        return {
          destroys: [`${path} (${formatSize(size)}) will be removed; guests that were created from it stay`],
          act: () => vm.removeBase(name),
          answer: ({ suite = null, date = null, ...base }): Answer<VmBase> => ({
            data: { ...base, suite, date },
            lines: [`${base.path} is removed`],
          }),
        };
      },
      { site: 'unused' },
    ),
});
