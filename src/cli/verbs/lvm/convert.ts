import * as lvm from '../../../api/lvm.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { usableVg, volumeNamed, waitSynced } from '../../../lvm/index.ts';
import { give } from '../../output/answer.ts';
import type { LvmConvert } from '../../output/answers/index.ts';
import { confirm } from '../../runtime/confirm.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { volumeOf } from './volume.ts';

/**
 * `bofh lvm convert VG/NAME raid1|linear`: waits until a new copy is filled, which the kernel goes on with when it is interrupted.
 * Asks before a copy goes.
 */
export async function convert(
  runtime: Runtime,
  { volume, to: word }: { readonly volume: string; readonly to: string },
  { device, atOnce }: Options,
): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const to = typeOf(word);
  const asked = { vg, name, to, ...(typeof device === 'string' ? { device } : {}) };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('../../plan/plan.ts');
    return await dryRun(runtime, bofh, () => lvm.convertLv(asked));
  }
  const find = usableVg(bofh.host, vg).then((group) => volumeNamed(group, { name }));
  const { uuid } = await untilInterrupted(runtime, find);
  if (to === 'linear')
    await confirm(runtime, [`${volume} (uuid ${uuid}) loses one of its two copies for good.`]);
  const act = () => lvm.convertLv({ ...asked, uuid });
  const { path, devices } = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  const isFilled = to === 'raid1' && atOnce !== true;
  const step = { n: 1, kind: 'lvm.lv.convert' };
  const command = { tool: 'lvm', argv: ['fullreport'] };
  const tell = (fraction: number): void => progress.onProgress(step, { command, fraction });
  if (isFilled) await untilInterrupted(runtime, waitSynced(bofh.host, { vg, name, tell }));
  progress.end();
  const data: LvmConvert = {
    volume,
    path,
    type: to,
    devices: [...devices],
    synced: to === 'linear' || isFilled,
  };
  const copies =
    to === 'linear'
      ? `is linear now, without its copy on ${devices.join(' and ')}`
      : `has a copy on ${devices.join(' and ')} now${isFilled ? '' : ', which the kernel is filling'}`;
  give(runtime, { data, lines: [`${volume} ${copies}`] });
  return 0;
}

function typeOf(word: string): 'raid1' | 'linear' {
  if (word === 'raid1' || word === 'linear') return word;
  throw new UsageError(`a volume is not converted to "${word}"`, { remedy: 'say raid1 or linear' });
}
