import * as vm from '../../../api/vm.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { VmListBackups } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { backupPath } from './backup-path.ts';

/** Exit code 6 if a file with the name of a backup cannot be used. */
export default verb({
  changes: false,
  answers: 'vm list-backups',
  table: true,
  args: { directory: ['<directory>', 'directory with the backups'] },
  examples: ['vm list-backups /srv/backup', '--json vm list-backups /srv/backup'],
  run: async (runtime, { directory: typed }) => {
    const directory = backupPath(
      runtime,
      typed,
      (host, path) => `bofh --host ${host} vm list-backups ${path}`,
    );
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { backups, problems } = await withBofh(bofh, () => vm.backups(directory));
    const data: VmListBackups = {
      backups: backups.map(({ path, guest, time, state, bofh: version, disks }) => ({
        ...{ path, guest, time, state, bofh: version },
        disks: disks.map(({ vdev, size, file }) => ({ vdev, size, fileSize: file.size })),
        encrypted: disks.some(({ encryption }) => encryption !== undefined),
      })),
      problems: problems.map((each) => ({ ...each })),
    };
    const sum = (numbers: readonly number[]): string =>
      formatSize(numbers.reduce((all, each) => all + each, 0));
    give(runtime, {
      data,
      head: ['GUEST', 'TIME', 'STATE', 'DISKS', 'SIZE', 'COMPRESSED', 'FILE'],
      rows: data.backups.map(({ path, guest, time, state, disks }) => [
        ...[guest, { time }, state, disks.map(({ vdev }) => vdev).join(',')],
        ...[sum(disks.map(({ size }) => size)), sum(disks.map(({ fileSize }) => fileSize)), path],
      ]),
      none: `there is no backup in ${printable(directory)}`,
    });
    for (const { path, why } of problems)
      runtime.terminal.line(`bofh: ${printable(path)} is not a complete backup: ${printable(why)}`);
    return problems.length === 0 ? 0 : 6;
  },
});
