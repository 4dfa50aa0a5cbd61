import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { type ResourceState, towards } from '../../../drbd/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdVerified } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { value, verb } from '../../runtime/verb.ts';
import { waitWithProgress } from './progress.ts';

/** Starts the comparison and waits for its end. Exit code 6 if the two hosts differ. */
export default verb({
  changes: true,
  answers: 'drbd verify',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    time: value('<DURATION>', 'longest time to wait (default: 12h)', { read: parseDuration }),
  },
  examples: ['drbd verify web1'],
  run: (runtime, { name, time: limitMs = 12 * 3_600_000 }) =>
    change(runtime, {
      act: () => drbd.verify({ name }),
      answer: async (_, bofh) =>
        verified(
          name,
          await withBofh(bofh, () => waitWithProgress(runtime, { name, what: 'verify', limitMs })),
        ),
    }),
});

function verified(name: string, state: ResourceState): Answer<DrbdVerified> & { readonly exitCode: number } {
  const differs = towards(state).reduce((sum, { outOfSync = 0 }) => sum + outOfSync, 0);
  return {
    data: { resource: name, outOfSync: differs },
    lines: [
      differs === 0
        ? `${name} is identical on both hosts`
        : `${name}: ${formatSize(differs)} differ. To resync them, disconnect and connect: bofh drbd disconnect ${name}; bofh drbd connect ${name}`,
    ],
    exitCode: differs === 0 ? 0 : 6,
  };
}
