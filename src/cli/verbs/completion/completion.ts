import { UsageError } from '../../../core/errors.ts';
import { verb } from '../../runtime/verb.ts';
import { candidates } from './candidates.ts';
import { scripts } from './scripts.ts';

export default verb({
  changes: false,
  args: {
    shell: ['<shell>', 'bash, zsh or fish; or "words", with which the printed scripts ask for completions'],
    words: ['[words...]', 'only after "words": what was typed after bofh, up to the cursor'],
  },
  examples: ['completion bash', 'completion words vm st'],
  script: true,
  run: async ({ terminal, commands }, { shell, words }) => {
    if (shell === 'words') {
      const found = await candidates(words, commands);
      terminal.answer(found === 'files' ? ':files\n' : found.map((line) => `${line.join('\t')}\n`).join(''));
      return 0;
    }
    const script = scripts.get(shell);
    if (script === undefined)
      throw new UsageError(`${shell}: must be bash, zsh or fish`, { remedy: 'bofh completion --help' });
    terminal.answer(script);
    return 0;
  },
});
