import * as block from '../../../../api/block.ts';
import { withBofh } from '../../../../bofh.ts';
import { present } from '../../../../core/present.ts';
import { parseSize } from '../../../../core/units.ts';
import { type Answer, give } from '../../../output/answer.ts';
import type { BlockLoopAttach } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { flag, value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  args: { file: '<file>' },
  options: {
    readOnly: flag('attach it read-only'),
    offset: value('<SIZE>', 'start of the device in the file'),
    size: value('<SIZE>', 'size of the device (default: up to the end of the file)'),
    partitions: flag('create devices for its partitions too, such as /dev/loop3p1'),
    adopt: flag('use a device that already has this part of the file attached in the same way'),
  },
  examples: ['block loop attach /srv/disk.img --partitions'],
  run: (runtime, { readOnly, offset, size, partitions, adopt, ...typed }) => {
    const file = pathOn(runtime, typed.file);
    const how = {
      file,
      mode: readOnly ? 'ro' : 'rw',
      partitions: partitions ? 'scanned' : 'ignored',
    } as const;
    const part = present({ offset: offset === '0' ? undefined : offset, size });
    return change<{ readonly device: string }>(runtime, async (bofh) => {
      const attached = adopt
        ? await withBofh(bofh, () => block.loopOver({ ...how, offset: bytes(offset), limit: bytes(size) }))
        : undefined;
      if (attached !== undefined)
        return () => {
          give(runtime, answerOf({ device: attached.device, file, was: 'adopted' }));
          return 0;
        };
      return {
        act: () => block.attachLoop({ ...how, ...part }),
        answer: ({ device }) => answerOf({ device, file, was: 'attached' }),
      };
    });
  },
});

function bytes(size: string | undefined): number {
  return size === undefined ? 0 : parseSize(size);
}

function answerOf(data: BlockLoopAttach): Answer<BlockLoopAttach> {
  const how = data.was === 'adopted' ? 'is attached already, as' : 'is attached as';
  return { data, lines: [`${printable(data.file)} ${how} ${data.device}`] };
}
