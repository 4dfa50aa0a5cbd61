import * as block from '../../../../api/block.ts';
import { ensure } from '../../../../api/ensure.ts';
import { withBofh } from '../../../../bofh.ts';
import { present } from '../../../../core/present.ts';
import { parseSize } from '../../../../core/units.ts';
import { type Answer, give } from '../../../output/answer.ts';
import type { BlockLoopAttach } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change, plan } from '../../../runtime/change.ts';
import { changeOrEnsure, ensureFlag } from '../../../runtime/ensure.ts';
import { pathOn } from '../../../runtime/session.ts';
import { flag, value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block loop attach',
  args: { file: ['<file>', 'file to attach, for example a disk image'] },
  options: {
    readOnly: flag('attach it read-only'),
    offset: value('<SIZE>', 'start of the device in the file'),
    size: value('<SIZE>', 'size of the device (default: up to the end of the file)'),
    partitions: flag('create devices for its partitions too, such as /dev/loop3p1'),
    ensure: ensureFlag('adopt'),
    adopt: flag(
      'if a loop device is already attached to this part of the file with the same options, use that device; otherwise attach another one',
    ),
  },
  examples: ['block loop attach /srv/disk.img --partitions'],
  run: (runtime, { readOnly, offset, size, partitions, adopt, ensure: isEnsured, ...typed }) => {
    const file = pathOn(runtime, typed.file);
    const how = {
      file,
      mode: readOnly ? 'ro' : 'rw',
      partitions: partitions ? 'scanned' : 'ignored',
    } as const;
    const part = present({ offset: offset === '0' ? undefined : offset, size });
    if (isEnsured) {
      const { partitions: scanned, ...asked } = { ...how, ...part };
      return changeOrEnsure(runtime, true, {
        create: () => block.attachLoop(asked),
        ensure: () => ensure.block.attachLoop({ ...asked, ...(partitions ? { partitions: scanned } : {}) }),
        answer: ({ device }, changed) => answerOf({ device, file, was: changed ? 'attached' : 'adopted' }),
      });
    }
    return change<{ readonly device: string }, BlockLoopAttach>(runtime, async (bofh) => {
      const attached = adopt
        ? await withBofh(bofh, () =>
            block.loopOver({ ...how, offset: bytes(part.offset), limit: bytes(size) }),
          )
        : undefined;
      if (attached !== undefined && runtime.settings.mode === 'plan')
        return () => plan(runtime, bofh, () => Promise.resolve());
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
