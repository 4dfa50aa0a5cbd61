import * as lvm from '../../../api/lvm.ts';
import { UsageError } from '../../../core/errors.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmSnapshotCreate, LvmSnapshotMerge } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import { given } from './volumes.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm snapshot create VG/ORIGIN NAME`; with `--size` or `--extents` a classic one. */
export async function create(
  runtime: Runtime,
  { origin, name }: { readonly origin: string; readonly name: string },
  options: Options,
): Promise<number> {
  const { vg, name: originName } = volumeOf(origin);
  const asked = { vg, origin: originName, name, ...given(options) };
  return change(runtime, {
    act: () => lvm.createSnapshot(asked),
    answer: ({ path, size, uuid, active }): Answer<LvmSnapshotCreate> => {
      const state = active ? formatSize(size) : `${formatSize(size)}, not active`;
      return {
        data: { volume: `${vg}/${name}`, uuid, path, origin, size, active },
        lines: [`${vg}/${name} is there, a snapshot of ${origin} (${state})`],
      };
    },
  });
}

/** `bofh lvm snapshot merge VG/NAME`: asks, for what the origin has by now is lost. */
export async function merge(runtime: Runtime, volume: string): Promise<number> {
  const { vg, name } = volumeOf(volume);
  return change<unknown>(runtime, async (bofh) => {
    if (runtime.settings.mode === 'plan')
      return () => plan(runtime, bofh, () => lvm.mergeSnapshot({ vg, name }));
    const { uuid, origin } = volumeNamed(await usableVg(bofh.host, vg), { name });
    if (origin === undefined)
      throw new UsageError(`${volume} is no snapshot: it cannot be merged`, {
        remedy: 'bofh lvm list shows what is a snapshot of what',
      });
    const of = `${vg}/${origin.name}`;
    return {
      destroys: [
        `${of} (uuid ${origin.uuid}) becomes what it was when ${volume} was taken: what was written to it since is lost, and so is ${volume}`,
      ],
      act: () => lvm.mergeSnapshot({ vg, name, uuid }),
      answer: (): Answer<LvmSnapshotMerge> => ({
        data: { volume: of, uuid: origin.uuid, merged: volume, path: `/dev/${of}` },
        lines: [`${of} is what it was when ${volume} was taken, which is gone`],
      }),
    };
  });
}
