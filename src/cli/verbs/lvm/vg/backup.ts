import * as lvm from '../../../../api/lvm.ts';
import { atomic, withBofh } from '../../../../bofh.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmVgBackup } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

/** Never overwrites a file. */
export default verb({
  changes: true,
  answers: 'lvm vg backup',
  args: { vg: ['<name>', 'name of the volume group'], file: ['<file>', 'new file; it must not exist'] },
  examples: ['lvm vg backup vg0 /root/vg0.backup'],
  run: (runtime, { vg, file }) => {
    const path = pathOn(runtime, file);
    return change<unknown, LvmVgBackup>(runtime, async (bofh) => {
      const { uuid, seqno, text } = await withBofh(bofh, () => lvm.metadataBackup(vg));
      return {
        // The mode of LVM's own backups, by its default umask 077 (lvm.conf, global/umask).
        act: () => atomic(runtime.verb, (tx) => tx.file.create({ path, content: text, mode: 0o600 })),
        answer: (): Answer<LvmVgBackup> => ({
          data: { group: vg, uuid, seqno, file: path },
          lines: [`${path} has the metadata of the volume group ${vg}, change ${String(seqno)}`],
        }),
      };
    });
  },
});
