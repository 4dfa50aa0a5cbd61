import * as lvm from '../../../api/lvm.ts';
import type { Bofh } from '../../../connect.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import { dmName } from '../../../lvm/names.ts';
import { guestsWithDisk } from '../../../xen/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmRemove } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import { commaList, value, verb } from '../../runtime/verb.ts';
import { volumeOf } from './volume.ts';

export default verb({
  changes: true,
  answers: 'lvm remove',
  args: { volume: ['<vg/name>', 'logical volume, for example vg0/web1'] },
  options: {
    diskOf: value('<GUEST,…>', 'remove it although it is a disk of these guests', { read: commaList }),
  },
  examples: ['lvm remove vg0/web1'],
  run: (runtime, { volume, diskOf = [] }) => {
    const { vg, name } = volumeOf(volume);
    const look = async (bofh: Bofh) => {
      await refuseDiskOfGuest(bofh, { vg, name, named: diskOf });
      if (runtime.settings.mode === 'plan')
        return () => plan(runtime, bofh, () => lvm.removeLv({ vg, name }));
      const { uuid, size } = volumeNamed(await usableVg(bofh.host, vg), { name });
      return {
        destroys: [`${volume} (${formatSize(size)}, uuid ${uuid}) will be removed with all data on it`],
        checksFirst: true,
        act: () => lvm.removeLv({ vg, name, uuid }),
        answer: (): Answer<LvmRemove> => ({
          data: { volume, uuid, size },
          lines: [`${volume} is removed`],
        }),
      };
    };
    return change<unknown, LvmRemove>(runtime, look, { site: 'used' });
  },
});

/**
 * Throws RefusedError unless the user names each guest that would lose a disk: a guest that is off does not
 * hold its disks.
 */
async function refuseDiskOfGuest(
  { host, site }: Bofh,
  { vg, name, named }: { readonly vg: string; readonly name: string; readonly named: readonly string[] },
): Promise<void> {
  const paths = [`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`];
  const guests = await guestsWithDisk(host, site.guestConfigDirs, paths);
  const lost = guests.filter(({ guest }) => !named.includes(guest));
  const all = guests.map(({ guest }) => guest).join(',');
  if (lost.length > 0)
    throw new RefusedError(
      `${vg}/${name} is a disk of ${lost.map(({ guest, file }) => (guest === file ? file : `the guest ${guest} (${file})`)).join(' and ')}; nothing was removed`,
      { remedy: `to remove it anyway: bofh lvm remove ${vg}/${name} --disk-of ${all}` },
    );
  const [wrong] = named.filter((each) => !guests.some(({ guest }) => guest === each));
  if (wrong !== undefined)
    throw new UsageError(`--disk-of ${wrong}: ${vg}/${name} is not a disk of ${wrong}`, {
      remedy: all === '' ? 'leave --disk-of out' : `--disk-of ${all}`,
    });
}
