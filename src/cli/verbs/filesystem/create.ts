import { ensure } from '../../../api/ensure.ts';
import * as filesystem from '../../../api/filesystem.ts';
import { present } from '../../../core/present.ts';
import { makeable } from '../../../filesystem/types.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemCreate } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { changeOrEnsure, ensureFlag } from '../../runtime/ensure.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import { oneOf, type ReadText, value, verb, wholeNumber } from '../../runtime/verb.ts';

const fatBits: ReadText<12 | 16 | 32> = (text, name) =>
  (({ '12': 12, '16': 16, '32': 32 }) as const)[oneOf('12', '16', '32')(text, name)];

export default verb({
  changes: true,
  answers: 'filesystem create',
  args: { device: ['<device>', 'block device, for example /dev/vg0/web1'] },
  options: {
    type: value('<TYPE>', 'ext2, ext3, ext4, xfs, btrfs, vfat or swap', {
      required: true,
      read: oneOf(...makeable),
    }),
    label: value('<LABEL>', 'label of the filesystem'),
    uuid: value('<UUID>', 'UUID; for vfat ABCD-1234 (default: random)'),
    overwrite: value('<UUID|TYPE>', 'UUID, or type, of the content to overwrite'),
    blockSize: value('<BYTES>', 'block size; ext2, ext3, ext4 and xfs only', { read: wholeNumber }),
    bytesPerInode: value('<BYTES>', 'bytes for each inode; ext2, ext3 and ext4 only', { read: wholeNumber }),
    reservedPercent: value('<PERCENT>', 'space reserved for root, in percent; ext2, ext3 and ext4 only', {
      read: wholeNumber,
    }),
    nodeSize: value('<BYTES>', 'node size; btrfs only', { read: wholeNumber }),
    checksum: value('<NAME>', 'crc32c, xxhash, sha256 or blake2; btrfs only', {
      read: oneOf('crc32c', 'xxhash', 'sha256', 'blake2'),
    }),
    ensure: ensureFlag('overwrite'),
    fatBits: value('<BITS>', '12, 16 or 32; vfat only', { read: fatBits }),
  },
  examples: ['filesystem create /dev/vg0/web1 --type ext4 --label web1'],
  run: (runtime, { device, type, label, uuid, overwrite, ensure: isEnsured, ...options }) => {
    const asked = { device, type, options: present(options), ...present({ label, uuid }) };
    const answer = (
      created: { readonly uuid: string; readonly label?: string | undefined },
      changed = true,
    ): Answer<FilesystemCreate> => ({
      data: { device, type, uuid: created.uuid, label: created.label ?? label ?? null },
      lines: [`${changed ? 'created ' : ''}${type} on ${printable(device)}, uuid ${created.uuid}`],
    });
    if (isEnsured)
      return changeOrEnsure(runtime, true, {
        create: () => filesystem.create(asked),
        ensure: async () => {
          const { value: made, changed } = await ensure.filesystem.create(asked);
          // A label that was not requested may be there.
          const found = changed ? undefined : await filesystem.probe(device);
          return { value: { ...made, label: found?.label }, changed };
        },
        answer,
      });
    return overwriting<{ readonly uuid: string }, FilesystemCreate>(
      runtime,
      { device, overwrite },
      (more) => ({
        act: () => filesystem.create({ ...asked, ...more }),
        answer: (created) => answer(created),
      }),
    );
  },
});
