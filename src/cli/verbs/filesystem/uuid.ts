import * as filesystem from '../../../api/filesystem.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemUuid } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { flag, value, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'filesystem uuid',
  args: { device: ['<device>', 'block device, for example /dev/vg0/web1'] },
  options: {
    uuid: value('<UUID>', 'UUID; for vfat ABCD-1234 (default: random)'),
    addSeed: flag(
      'ext4 only: enable metadata_csum_seed if the change needs it (GRUB before 2.12, except that of Debian 12, cannot read such a filesystem)',
    ),
  },
  examples: ['filesystem uuid /dev/vg0/clone'],
  run: (runtime, { device, uuid, addSeed }) => {
    const seed = addSeed ? ('may be added' as const) : undefined;
    return change(runtime, {
      act: () => filesystem.uuid({ device, ...present({ uuid, seed }) }),
      answer: ({ uuid: now, was }): Answer<FilesystemUuid> => {
        const line = now === was ? `has the uuid ${now} already` : `has the uuid ${now} now; it had ${was}`;
        return { data: { device, uuid: now, was }, lines: [`${printable(device)} ${line}`] };
      },
    });
  },
});
