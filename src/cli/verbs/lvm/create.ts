import { ensure } from '../../../api/ensure.ts';
import * as lvm from '../../../api/lvm.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmCreate } from '../../output/answers/index.ts';
import { changeOrEnsure, ensureFlag } from '../../runtime/ensure.ts';
import { flag, oneOf, value, verb, wholeNumber } from '../../runtime/verb.ts';
import { extents, tags } from './options.ts';
import { sizeNotShare, volumeOf } from './volume.ts';

export default verb({
  changes: true,
  answers: 'lvm create',
  args: { volume: ['<vg/name>', 'volume group and name of the new volume, for example vg0/web1'] },
  options: {
    size: value('<SIZE>', 'size, for example 10g', { conflicts: ['extents'], read: sizeNotShare }),
    extents,
    type: value('<TYPE>', 'linear, striped or raid1 (default: linear)', {
      read: oneOf('linear', 'striped', 'raid1'),
    }),
    stripes: value('<N>', 'number of stripes; with --type striped (default: 2)', { read: wholeNumber }),
    stripeSize: value('<SIZE>', 'stripe size, for example 64k; with --type striped'),
    mirrors: value('<N>', 'number of additional copies; with --type raid1 (default: 1)', {
      read: wholeNumber,
    }),
    pool: value('<NAME>', 'create a thin volume in this pool; --size is then its virtual size'),
    zeros: flag('fill the volume with zeros; without it old data remains readable'),
    tag: tags,
    ensure: ensureFlag('zeros'),
  },
  examples: [
    'lvm create vg0/web1 --size 10g',
    'lvm create vg0/web1 --size 10g --ensure',
    'lvm create vg0/web1 --size 10g --pool pool0',
    'lvm create vg0/data --extents 50%FREE --type raid1',
  ],
  run: (runtime, { volume, zeros, tag, ensure: isEnsured, ...typed }) => {
    const content = zeros ? ('zeros' as const) : undefined;
    const asked = { ...volumeOf(volume), ...present({ ...typed, content, tags: tag }) };
    return changeOrEnsure(runtime, isEnsured, {
      create: () => lvm.createLv(asked),
      ensure: () => ensure.lvm.createLv(asked),
      answer: ({ path, size, uuid, pool }): Answer<LvmCreate> => ({
        data: { volume, uuid, path, size, pool: pool ?? null },
        lines: [`${path} exists, ${formatSize(size)}`, ...overcommitment(pool)],
      }),
    });
  },
});

/** A warning if the virtual sizes of the volumes exceed the size of the pool. */
function overcommitment(pool: LvmCreate['pool'] | undefined): readonly string[] {
  if (pool === null || pool === undefined || pool.promised <= pool.size) return [];
  return [
    `the volumes in the pool ${pool.name} can grow to ${formatSize(pool.promised)}, but it has ${formatSize(pool.size)}: watch its usage (bofh lvm list)`,
  ];
}
