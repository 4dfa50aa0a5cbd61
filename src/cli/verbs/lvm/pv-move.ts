import * as lvm from '../../../api/lvm.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmPvMove } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm pv move DEVICE`: that nothing lies on it is success. */
export async function move(runtime: Runtime, device: string, { to, volume }: Options): Promise<number> {
  const asked = {
    device,
    ...(typeof to === 'string' ? { to: to.split(',') } : {}),
    ...(typeof volume === 'string' ? { volume: volumeOf(volume) } : {}),
  };
  return change(runtime, {
    act: () => lvm.movePv(asked),
    answer: (data): Answer<LvmPvMove> => {
      const what = `${String(data.extents)} extents of ${data.volumes.join(', ')}`;
      const line =
        data.extents === 0 ? `nothing lay on ${device} that was to be moved` : `moved ${what} off ${device}`;
      return { data, lines: [line] };
    },
  });
}
