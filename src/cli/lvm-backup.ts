import * as lvm from '../api/lvm.ts';
import { atomic, withBofh } from '../bofh.ts';
import type { Tx } from '../operations.ts';
import { give } from './answer.ts';
import type { LvmVgBackup } from './answers/index.ts';
import type { Runtime } from './runtime.ts';
import { openSession, pathOn, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** `bofh lvm vg backup NAME FILE`: never over a file that is there. */
export async function backup(runtime: Runtime, vg: string, file: string): Promise<number> {
  const path = pathOn(runtime, file);
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { uuid, seqno, text } = await untilInterrupted(
    runtime,
    withBofh(bofh, () => lvm.metadataBackup(vg)),
  );
  // Whoever can write it decides what vgcfgrestore makes of the group.
  const make = (tx: Tx) => tx.file.create({ path, content: text, mode: 0o600 });
  const sequence = () => atomic(runtime.verb, make);
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, sequence);
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, sequence));
  progress.end();
  const data: LvmVgBackup = { group: vg, uuid, seqno, file: path };
  give(runtime, {
    data,
    lines: [`${path} has the metadata of the volume group ${vg}, change ${String(seqno)}`],
  });
  return 0;
}
