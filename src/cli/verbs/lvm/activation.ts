import * as lvm from '../../../api/lvm.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmActivation } from '../../output/answers/index.ts';
import { change as changeOf } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm activate VG/NAME` and `deactivate`: until the next boot, of which it says what that does. */
export async function change(runtime: Runtime, volume: string, to: 'active' | 'inactive'): Promise<number> {
  const { vg, name } = volumeOf(volume);
  return changeOf(runtime, {
    act: () => (to === 'active' ? lvm.activateLv({ vg, name }) : lvm.deactivateLv({ vg, name })),
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
