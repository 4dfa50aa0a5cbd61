import { isDeepStrictEqual } from 'node:util';
import { applyCollected } from '../../../api/apply-collected.ts';
import { type Answers, inShell } from '../../../command/index.ts';
import { messageOf, RefusedError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import type { HostChange } from '../../../provision/apply.ts';
import { remember } from '../../../provision/created.ts';
import { canLockOut } from '../../../provision/lockout.ts';
import { refusalToWait } from '../../../service/guard.ts';
import { change } from '../../runtime/change.ts';
import { parseWait } from '../../runtime/settings.ts';
import { value, verb } from '../../runtime/verb.ts';
import { give } from '../../output/answer.ts';
import {
  args,
  asData,
  changeInWords,
  plannedChanges,
  prune,
  readDescription,
  undescribedInWords,
  usualWaitMs,
  waitInWords,
} from './description.ts';

/** Plans first, so that refusals come before the first step. */
export default verb({
  changes: true,
  answers: 'host apply',
  args,
  options: {
    confirm: value(
      '<DURATION|off>',
      'undo everything unless you run bofh confirm from a new connection within this time (default: 2m if a change could break the access to the host, else off)',
      { read: (text, name) => (text === 'off' ? text : parseWait(text, name)) },
    ),
    prune,
  },
  examples: [
    'host apply web.ts',
    '--dry-run host apply web.ts',
    'host apply web.ts --confirm 5m',
    'host apply web.ts --prune',
  ],
  run: (runtime, { file, confirm: asked, prune }) =>
    change(
      runtime,
      async (bofh) => {
        const described = await readDescription(runtime, bofh, { file, prune });
        const { resources, undescribed, owner } = described;
        const answer = (changes: readonly HostChange[]) => ({
          data: { changes: changes.map(asData), undescribed },
          lines: [
            ...(changes.length === 0 ? ['the host is as described'] : changes.map(changeInWords)),
            ...undescribedInWords(undescribed, { prune }),
          ],
        });
        // Before the question, and also in a plan: without it the whole change would be refused.
        const waitFor = async (changes: readonly HostChange[]): Promise<number | undefined> => {
          const usual = changes.some(canLockOut) ? usualWaitMs : undefined;
          const confirm = asked === 'off' ? undefined : (asked ?? usual);
          const refusal = confirm === undefined ? undefined : await refusalToWait(bofh.host);
          if (refusal !== undefined) throw refusal;
          return confirm;
        };
        if (runtime.settings.mode === 'plan')
          return {
            act: async () => {
              const changes = await applyCollected(resources);
              if (changes.length > 0) await waitFor(changes);
              return changes;
            },
            answer,
          };
        const answers: Answers = new Map();
        const planned = await plannedChanges(bofh, resources, answers);
        // The changes are committed: if this record is lost, --prune does not know their objects.
        const note = (changes: readonly HostChange[]): Promise<void> =>
          remember(bofh, owner, { changes, resources }).catch((error: unknown) => {
            runtime.log.warn(`bofh forgets what ${owner.file} created: ${messageOf(error)}`, {});
          });
        if (planned.length === 0)
          return async () => {
            // An object that others removed is forgotten.
            await note([]);
            give(runtime, answer(planned));
            return 0;
          };
        const confirm = await waitFor(planned);
        return {
          destroys: [...planned.map(changeInWords), ...(confirm === undefined ? [] : [waitInWords(confirm)])],
          again: async () => {
            if (runtime.settings.consent === 'given') return;
            answers.clear();
            if (!isDeepStrictEqual(await plannedChanges(bofh, resources, answers), planned))
              throw new RefusedError('the host changed since the plan that was confirmed', {
                remedy: `see the new one: bofh host plan ${inShell(file)}`,
              });
          },
          act: async () => {
            const changes = await applyCollected(resources, { ...present({ confirm }), answers });
            await note(changes);
            return changes;
          },
          answer,
        };
      },
      { site: 'used', root: 'not-needed' },
    ),
});
