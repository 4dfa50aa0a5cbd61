import * as crypt from '../../../api/crypt.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptKey } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { args, newKeyRequest, options } from './new-key.ts';

export default verb({
  changes: true,
  answers: 'crypt add-key',
  args,
  options,
  examples: ['crypt add-key /dev/vg0/data --new-key file:/root/second.key'],
  run: (runtime, typed) => {
    const { device } = typed;
    const asked = newKeyRequest(runtime, typed);
    const verb = {
      act: () => crypt.addKey(asked),
      answer: ({ slot }: { readonly slot: number }): Answer<CryptKey> => ({
        data: { device, slot },
        lines: [`added a key to ${device}, in slot ${slot}`],
      }),
    };
    return change(runtime, verb, { site: 'used' });
  },
});
