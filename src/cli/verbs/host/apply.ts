import { isDeepStrictEqual } from 'node:util';
import { applyCollected } from '../../../api/apply-collected.ts';
import { RefusedError } from '../../../core/errors.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { give } from '../../output/answer.ts';
import { asData, changeInWords, plannedChanges, readDescription } from './description.ts';

/** Plans first: what would be refused is refused before the first step. */
export default verb({
  changes: true,
  answers: 'host apply',
  args: { file: ['<file>', 'a description: .ts, .js or .mjs with a default export of defineHost'] },
  examples: ['host apply web.ts', '--dry-run host apply web.ts', '--yes host apply web.ts'],
  run: (runtime, { file }) =>
    change(
      runtime,
      async (bofh) => {
        const resources = await readDescription(runtime, bofh, file);
        const act = () => applyCollected(resources);
        const answer = (changes: Awaited<ReturnType<typeof act>>) => ({
          data: { changes: changes.map(asData) },
          lines: changes.length === 0 ? ['the host is as described'] : changes.map(changeInWords),
        });
        if (runtime.settings.mode === 'plan') return { act, answer };
        const planned = await plannedChanges(bofh, resources);
        if (planned.length === 0)
          return () => {
            give(runtime, answer(planned));
            return 0;
          };
        return {
          destroys: planned.map(changeInWords),
          again: async () => {
            if (runtime.settings.consent === 'given') return;
            if (!isDeepStrictEqual(await plannedChanges(bofh, resources), planned))
              throw new RefusedError('the host changed since the plan that was confirmed', {
                remedy: `see the new one: bofh host plan ${file}`,
              });
          },
          act,
          answer,
        };
      },
      { site: 'used', root: 'not-needed' },
    ),
});
