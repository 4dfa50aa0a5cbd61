import * as vm from '../../../api/vm.ts';
import { withBofh } from '../../../bofh.ts';
import { give } from '../../output/answer.ts';
import type { VmVerify } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { backupPath } from './backup-path.ts';

/** Exit code 6 if a file is damaged. */
export default verb({
  changes: false,
  answers: 'vm verify',
  args: { file: ['<file>', 'manifest of a backup'] },
  examples: ['vm verify /srv/backup/web1.20261124T155337Z.json'],
  run: async (runtime, { file: typed }) => {
    const file = backupPath(runtime, typed, (host, path) => `bofh --host ${host} vm verify ${path}`);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { backup, disks } = await untilInterrupted(
      runtime,
      withBofh(bofh, () => vm.verify(file)),
    );
    const damaged = disks.filter(({ why }) => why !== undefined);
    const data: VmVerify = {
      ...{ path: backup.path, guest: backup.guest, time: backup.time, intact: damaged.length === 0 },
      disks: disks.map(({ why = null, ...disk }) => ({ ...disk, why })),
    };
    const of = `the backup of ${backup.guest} of ${backup.time}`;
    give(runtime, {
      data,
      lines:
        damaged.length === 0
          ? [`${of} is intact: ${disks.length} of ${disks.length} disks have their checksums`]
          : [
              ...damaged.map(({ vdev, why = '' }) => `${vdev}: ${printable(why)}`),
              `${of} cannot be restored: ${damaged.length} of ${disks.length} disks are damaged`,
            ],
    });
    return damaged.length === 0 ? 0 : 6;
  },
});
