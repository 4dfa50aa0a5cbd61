import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { give } from './answer.ts';
import type { LvmPvMove } from './answers/index.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm pv move DEVICE`: that nothing lies on it is success. */
export async function move(runtime: Runtime, device: string, { to, volume }: Options): Promise<number> {
  const asked = {
    device,
    ...(typeof to === 'string' ? { to: to.split(',') } : {}),
    ...(typeof volume === 'string' ? { volume: volumeOf(volume) } : {}),
  };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.movePv(asked));
  }
  const data: LvmPvMove = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.movePv(asked)));
  progress.end();
  const what = `${String(data.extents)} extents of ${data.volumes.join(', ')}`;
  const line =
    data.extents === 0 ? `nothing lay on ${device} that was to be moved` : `moved ${what} off ${device}`;
  give(runtime, { data, lines: [line] });
  return 0;
}
