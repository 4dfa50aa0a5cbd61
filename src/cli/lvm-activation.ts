import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { usableVg, volumeNamed } from '../lvm/index.ts';
import { give } from './answer.ts';
import type { LvmActivation } from './answers/index.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm activate VG/NAME` and `deactivate`: until the next boot, of which it says what that does. */
export async function change(runtime: Runtime, volume: string, to: 'active' | 'inactive'): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const act = () => (to === 'active' ? lvm.activateLv({ vg, name }) : lvm.deactivateLv({ vg, name }));
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, act);
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const { uuid, active, autoactivation, skipped } = volumeNamed(await usableVg(bofh.host, vg), { name });
  const data: LvmActivation = {
    ...{ volume, uuid, active: active === true },
    atBoot: autoactivation && !skipped,
  };
  const boot = data.atBoot ? 'activates it' : 'leaves it inactive';
  give(runtime, {
    data,
    lines: [`${volume} is ${data.active ? 'active' : 'not active'}; the next boot ${boot}`],
  });
  return 0;
}
