import * as lvm from '../../../../api/lvm.ts';
import { present } from '../../../../core/present.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmSnapshotCreate } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { tags } from '../options.ts';
import { sizeNotShare, volumeOf } from '../volume.ts';

/** With `--size` or `--extents` a classic snapshot, otherwise a thin one. */
export default verb({
  changes: true,
  answers: 'lvm snapshot create',
  args: {
    origin: ['<vg/origin>', 'logical volume to take the snapshot of, for example vg0/web1'],
    name: ['<name>', 'name of the snapshot, in the same volume group'],
  },
  options: {
    size: value('<SIZE>', 'space for changes, for example 2g', {
      conflicts: ['extents'],
      read: sizeNotShare,
    }),
    extents: value('<N>', 'size in extents, or a share: 20%ORIGIN, 50%FREE, 10%VG'),
    tag: tags,
  },
  examples: ['lvm snapshot create vg0/web1 before-upgrade --size 2g'],
  run: (runtime, { origin, name, size, extents, tag }) => {
    const { vg, name: originName } = volumeOf(origin);
    const asked = { vg, origin: originName, name, ...present({ size, extents, tags: tag }) };
    return change(runtime, {
      act: () => lvm.createSnapshot(asked),
      answer: ({ path, size: bytes, uuid, active }): Answer<LvmSnapshotCreate> => {
        const state = active ? formatSize(bytes) : `${formatSize(bytes)}, not active`;
        return {
          data: { volume: `${vg}/${name}`, uuid, path, origin, size: bytes, active },
          lines: [`${vg}/${name} exists, a snapshot of ${origin} (${state})`],
        };
      },
    });
  },
});
