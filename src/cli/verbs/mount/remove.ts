import * as mount from '../../../api/mount.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { MountRemove } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'mount remove',
  args: { path: ['<path>', 'mount point'] },
  options: {
    mountId: value('<NUMBER>', 'unmount only if bofh mount list shows this number for the mount', {
      read: mountId,
    }),
  },
  examples: ['mount remove /mnt'],
  run: (runtime, { path, mountId: id }) => {
    const asked = { path: pathOn(runtime, path), ...present({ mountId: id }) };
    return change(runtime, {
      act: () => mount.unmount(asked),
      answer: (gone): Answer<MountRemove> => ({
        data: { source: gone.source, path: gone.path },
        lines: [`unmounted ${printable(gone.source)} from ${printable(gone.path)}`],
      }),
    });
  },
});

function mountId(text: string, name: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be a whole number`, {
    remedy: 'see the numbers: bofh mount list',
  });
}
