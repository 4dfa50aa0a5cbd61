import * as block from '../../../../api/block.ts';
import * as filesystem from '../../../../api/filesystem.ts';
import { ensure } from '../../../../api/ensure.ts';
import { UsageError } from '../../../../core/errors.ts';
import { present } from '../../../../core/present.ts';
import { formatSize } from '../../../../core/units.ts';
import { makeable } from '../../../../filesystem/types.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockImageCreate } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { changeOrEnsure, ensureFlag } from '../../../runtime/ensure.ts';
import { pathOn } from '../../../runtime/session.ts';
import { flag, oneOf, value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block image create',
  args: {
    file: ['<file>', 'new file; it must not exist'],
    size: ['<size>', 'size of the image, for example 10g'],
  },
  options: {
    allocate: flag('allocate all of its space now'),
    type: value(
      '<TYPE>',
      'create this filesystem in the image: ext2, ext3, ext4, xfs, btrfs, vfat or swap (default: none)',
      {
        read: oneOf(...makeable),
      },
    ),
    label: value('<LABEL>', 'label of the filesystem'),
    uuid: value('<UUID>', 'UUID of the filesystem; for vfat ABCD-1234 (default: random)'),
    ensure: ensureFlag('allocate'),
  },
  examples: ['block image create /srv/disk.img 10g', 'block image create disk.img 1g --type ext4'],
  run: (runtime, { file, size, allocate, type, label, uuid, ensure: isEnsured }) => {
    const room = allocate ? 'allocated' : 'sparse';
    const asked = { file: pathOn(runtime, file), size };
    if (type !== undefined) {
      const filled = { ...asked, type, ...present({ label, uuid }) };
      return changeOrEnsure(runtime, isEnsured, {
        root: 'not-needed',
        create: () => filesystem.createImage({ ...filled, room }),
        ensure: () => ensure.filesystem.createImage(filled),
        answer: (made, changed): Answer<BlockImageCreate> => ({
          data: { ...made, room: changed ? room : null, type },
          lines: [
            `${changed ? 'created ' : ''}${printable(made.file)}: ${formatSize(made.size)}, ${type}, uuid ${made.uuid}`,
          ],
        }),
      });
    }
    if (label !== undefined || uuid !== undefined)
      throw new UsageError('--label and --uuid belong to --type', { remedy: 'name the type: --type ext4' });
    return changeOrEnsure(runtime, isEnsured, {
      root: 'not-needed',
      create: () => block.createImage({ ...asked, room }),
      ensure: () => ensure.block.createImage(asked),
      answer: (made, changed): Answer<BlockImageCreate> => ({
        // bofh does not read how much of an existing image is allocated.
        data: { ...made, room: changed ? room : null },
        lines: [
          changed
            ? `created ${printable(made.file)}: ${formatSize(made.size)}, ${room}`
            : `${printable(made.file)}: ${formatSize(made.size)}`,
        ],
      }),
    });
  },
});
