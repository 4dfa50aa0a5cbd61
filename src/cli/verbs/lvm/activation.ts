import type * as lvm from '../../../api/lvm.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmActivation } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { volumeOf } from './volume.ts';

/** Activates or deactivates a volume, and reports whether the next boot activates it. */
export async function changeActivation(
  runtime: Runtime<LvmActivation>,
  volume: string,
  act: typeof lvm.activateLv | typeof lvm.deactivateLv,
): Promise<number> {
  const { vg, name } = volumeOf(volume);
  return change(runtime, {
    act: () => act({ vg, name }),
    answer: async (_, { host }): Promise<Answer<LvmActivation>> => {
      const { uuid, active, autoactivation, skipped } = volumeNamed(await usableVg(host, vg), { name });
      const data = { volume, uuid, active: active === true, atBoot: autoactivation && !skipped };
      const boot = data.atBoot ? 'activates it' : 'leaves it inactive';
      return {
        data,
        lines: [`${volume} is ${data.active ? 'active' : 'not active'}; the next boot ${boot}`],
      };
    },
  });
}
