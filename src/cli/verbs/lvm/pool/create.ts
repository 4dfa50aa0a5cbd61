import { ensure } from '../../../../api/ensure.ts';
import * as lvm from '../../../../api/lvm.ts';
import { present } from '../../../../core/present.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPoolCreate } from '../../../output/answers/index.ts';
import { changeOrEnsure, ensureFlag } from '../../../runtime/ensure.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { extents, tags } from '../options.ts';
import { sizeNotShare, volumeOf } from '../volume.ts';

export default verb({
  changes: true,
  answers: 'lvm pool create',
  args: { volume: ['<vg/name>', 'volume group and name of the new pool, for example vg0/pool0'] },
  options: {
    size: value('<SIZE>', 'size of its data, for example 100g', {
      conflicts: ['extents'],
      read: sizeNotShare,
    }),
    extents,
    metadataSize: value('<SIZE>', 'size of its metadata (default: chosen by LVM)'),
    chunkSize: value('<SIZE>', 'chunk size, a multiple of 64k'),
    tag: tags,
    ensure: ensureFlag('chunkSize'),
  },
  examples: ['lvm pool create vg0/pool0 --size 100g'],
  run: (runtime, { volume, tag, ensure: isEnsured, ...typed }) => {
    const asked = { ...volumeOf(volume), ...present({ ...typed, tags: tag }) };
    return changeOrEnsure<Pool, Pool, LvmPoolCreate>(runtime, isEnsured, {
      create: () => lvm.createThinPool(asked),
      ensure: () => ensure.lvm.createThinPool(asked),
      answer: ({ size, metadataSize: metadata, chunkSize: chunk = null, uuid }): Answer<LvmPoolCreate> => {
        const sizes = `${formatSize(size)}, metadata ${formatSize(metadata)}${chunk === null ? '' : `, chunks of ${formatSize(chunk)}`}`;
        return {
          data: { pool: volume, uuid, size, metadataSize: metadata, chunkSize: chunk },
          lines: [`the thin pool ${volume} exists: ${sizes}`],
        };
      },
    });
  },
});

type Made = Awaited<ReturnType<typeof lvm.createThinPool>>;
/** A created pool; the chunk size is missing for an existing one. */
type Pool = Omit<Made, 'chunkSize'> & Partial<Pick<Made, 'chunkSize'>>;
