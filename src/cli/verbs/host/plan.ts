import { canLockOut } from '../../../provision/lockout.ts';
import { refusalToWait } from '../../../service/guard.ts';
import { give } from '../../output/answer.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';
import {
  args,
  asData,
  changeInWords,
  noWaitInWords,
  plannedChanges,
  prune,
  readDescription,
  undescribedInWords,
  usualWaitMs,
  waitInWords,
} from './description.ts';
import { diffOf } from './diff.ts';

export default verb({
  changes: false,
  answers: 'host plan',
  args,
  options: { diff: flag('also show how each text file changes, as a unified diff'), prune },
  examples: ['host plan web.ts', 'host plan web.ts --diff', 'host plan web.ts --prune'],
  run: async (runtime, { file, diff, prune }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const { resources, undescribed } = await readDescription(runtime, bofh, { file, prune });
    const changes = await plannedChanges(bofh, resources);
    const all = changes.map((change) => ({ change, text: diffOf(change) }));
    const canCutConnection = changes.some(canLockOut);
    const refusal = canCutConnection ? await refusalToWait(bofh.host) : undefined;
    give(runtime, {
      data: {
        canCutConnection,
        changes: all.map(({ change, text }) => ({ ...asData(change), diff: text ?? null })),
        undescribed,
      },
      lines: [
        ...(all.length === 0 ? ['the host is as described'] : []),
        ...all.flatMap(({ change, text }) => [
          changeInWords(change),
          ...(diff && text !== undefined ? text.split('\n').map(printable) : []),
        ]),
        ...undescribedInWords(undescribed, { prune }),
        ...(canCutConnection
          ? [refusal === undefined ? waitInWords(usualWaitMs) : noWaitInWords(refusal)]
          : []),
      ],
    });
    return 0;
  },
});
