import * as crypt from '../../../api/crypt.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptClose } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'crypt close',
  args: { name: ['<name>', 'name below /dev/mapper'] },
  examples: ['crypt close data'],
  run: (runtime, { name }) => {
    const asked = {
      act: () => crypt.close({ name }),
      answer: (): Answer<CryptClose> => ({ data: { name }, lines: [`${name} is closed`] }),
    };
    return change(runtime, asked, { site: 'used' });
  },
});
