import * as crypt from '../../../api/crypt.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptKey } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { args, newKeyRequest, options } from './new-key.ts';
import { keyFor } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt change-key',
  args,
  options: { ...options, key: keyFor('the key to replace') },
  examples: ['crypt change-key /dev/vg0/data --key file:/root/old.key --new-key ask'],
  run: (runtime, typed) => {
    const { device } = typed;
    const asked = newKeyRequest(runtime, typed);
    const verb = {
      act: () => crypt.changeKey(asked),
      answer: ({ slot }: { readonly slot: number }): Answer<CryptKey> => ({
        data: { device, slot },
        lines: [`${device} has the new key, in slot ${slot}; the old key no longer opens it`],
      }),
    };
    return change(runtime, verb, { site: 'used' });
  },
});
