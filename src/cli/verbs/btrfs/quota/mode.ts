import * as api from '../../../../api/btrfs.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsQuotaSet } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import type { Runtime } from '../../../runtime/runtime.ts';

export function setQuota(runtime: Runtime<BtrfsQuotaSet>, path: string, mode: 'on' | 'off'): Promise<number> {
  return change(runtime, {
    act: () => api.setQuota({ path, mode }),
    answer: (data): Answer<BtrfsQuotaSet> => ({
      data,
      lines: [`quota accounting on ${printable(path)} is ${data.mode === 'on' ? 'enabled' : 'disabled'}`],
    }),
  });
}
