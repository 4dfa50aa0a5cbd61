import * as lvm from '../../../api/lvm.ts';
import { atomic, withBofh } from '../../../bofh.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmVgBackup } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';

/** `bofh lvm vg backup NAME FILE`: never over a file that is there. */
export async function backup(runtime: Runtime, vg: string, file: string): Promise<number> {
  const path = pathOn(runtime, file);
  return change<unknown>(runtime, async (bofh) => {
    const { uuid, seqno, text } = await withBofh(bofh, () => lvm.metadataBackup(vg));
    return {
      // Whoever can write it decides what vgcfgrestore makes of the group.
      act: () => atomic(runtime.verb, (tx) => tx.file.create({ path, content: text, mode: 0o600 })),
      answer: (): Answer<LvmVgBackup> => ({
        data: { group: vg, uuid, seqno, file: path },
        lines: [`${path} has the metadata of the volume group ${vg}, change ${String(seqno)}`],
      }),
    };
  });
}
