import * as lvm from '../../../api/lvm.ts';
import { withBofh } from '../../../bofh.ts';
import { InterruptedError, UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { usableVg, volumeNamed, waitSynced } from '../../../lvm/index.ts';
import { give } from '../../output/answer.ts';
import type { LvmConvert } from '../../output/answers/index.ts';
import { confirm } from '../../runtime/confirm.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { volumeOf } from './volume.ts';

/**
 * Waits until a new copy is in sync; after an interruption the kernel continues the sync. Asks before it
 * removes a copy.
 */
export default verb({
  changes: true,
  answers: 'lvm convert',
  args: {
    volume: ['<vg/name>', 'logical volume, for example vg0/web1'],
    word: ['<raid1|linear>', 'raid1: add a copy; linear: remove a copy'],
  },
  options: {
    device: value('<DEVICE>', 'device that gets the copy, or loses it'),
    atOnce: flag('do not wait until the new copy is in sync'),
  },
  examples: ['lvm convert vg0/web1 raid1 --device /dev/sdc', 'lvm convert vg0/web1 linear --device /dev/sdb'],
  run: async (runtime, { volume, word, device, atOnce }) => {
    const to = typeOf(word);
    const { vg, name } = volumeOf(volume);
    const asked = { vg, name, to, ...present({ device }) };
    const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
    if (runtime.settings.mode === 'plan') {
      const { dryRun } = await import('../../plan/plan.ts');
      return await dryRun(runtime, bofh, () => lvm.convertLv(asked));
    }
    const find = usableVg(bofh.host, vg).then((group) => volumeNamed(group, { name }));
    const { uuid, layout } = await untilInterrupted(runtime, find);
    if (to === 'linear' && layout.join() === 'linear')
      throw new UsageError(`${volume} is linear already: there is nothing to do`);
    if (to === 'linear')
      await confirm(runtime, [
        `${volume} (uuid ${uuid}) will lose ${device === undefined ? 'one of its two copies' : `its copy on ${device}`}. This cannot be undone.`,
      ]);
    const act = () => lvm.convertLv({ ...asked, uuid });
    const { path, devices } = await logged(runtime, bofh.host, () => withBofh(bofh, act));
    const isFilled = to === 'raid1' && !atOnce;
    const step = { n: 1, kind: 'lvm.lv.convert' };
    const command = { tool: 'lvm', argv: ['fullreport'] };
    const tell = (fraction: number): void => {
      if (runtime.signals.stop.aborted)
        throw new InterruptedError(
          `"${runtime.verb}" was stopped; the copy of ${volume} stays, and the kernel continues to sync it`,
          { remedy: 'see its progress: bofh lvm list' },
        );
      progress.onProgress(step, { command, fraction });
    };
    if (isFilled) await waitSynced(bofh.host, { vg, name, tell });
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
        ? `is linear now; its copy is removed from ${devices.join(' and ')}`
        : `has a copy on ${devices.join(' and ')} now${isFilled ? '' : ', which is not in sync yet'}`;
    give(runtime, { data, lines: [`${volume} ${copies}`] });
    return 0;
  },
});

function typeOf(word: string): 'raid1' | 'linear' {
  if (word === 'raid1' || word === 'linear') return word;
  throw new UsageError(`a volume cannot be converted to "${word}"`, { remedy: 'use raid1 or linear' });
}
