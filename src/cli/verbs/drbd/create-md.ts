import * as drbd from '../../../api/drbd.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdMetadata } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { listRead, value, verb } from '../../runtime/verb.ts';
import { volume, wordsIn } from './options.ts';

export default verb({
  changes: true,
  answers: 'drbd create-md',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    volume,
    overwrite: value(
      '<UUID,…>',
      'UUID of existing metadata to overwrite, or the word "data" for content of unknown type',
      { read: listRead(wordsIn) },
    ),
    keep: value('<UUID,…>', 'UUID of the existing filesystem to keep: it becomes the content of the volume', {
      read: listRead(wordsIn),
    }),
  },
  examples: ['drbd create-md web1'],
  run: (runtime, { name, volume, overwrite = [], keep }) => {
    const lost = overwrite.length === 0 ? undefined : overwrite;
    const loss = `${overwrite.map(printable).join(', ')}: will be overwritten, and DRBD will no longer know the state of that data`;
    return change(runtime, {
      destroys: lost === undefined ? [] : [loss],
      checksFirst: true,
      act: () => drbd.createMetadata({ name, ...present({ volume, overwrite: lost, keep }) }),
      answer: (created): Answer<DrbdMetadata> => {
        const { device, uuid, format, dataSize } = created;
        return {
          data: { resource: name, volume: created.volume, device, uuid, format, dataSize },
          lines: [
            `${device} has metadata of ${name}/${String(created.volume)} (${format}, uuid ${uuid}) and room for ${formatSize(dataSize)}`,
          ],
        };
      },
    });
  },
});
