import * as btrfs from '../../../btrfs/index.ts';
import { give } from '../../output/answer.ts';
import type { BtrfsList } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { identity } from './answers.ts';

export default verb({
  changes: false,
  answers: 'btrfs list',
  table: true,
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs list /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await btrfs.subvolumes(bofh.host, path);
    const standard = await btrfs.defaultSubvolume(bofh.host, path);
    const data: BtrfsList = found.map((row) => ({ ...identity(row), default: row.id === standard }));
    give(runtime, {
      data,
      head: ['ID', 'PATH', 'UUID', 'SNAPSHOT OF', 'RECEIVED', 'DEFAULT'],
      rows: data.map((row) => [
        String(row.id),
        printable(row.shown),
        row.uuid ?? '-',
        nameOf(found, row.parentUuid),
        row.receivedUuid === null ? 'no' : 'yes',
        row.default ? 'yes' : 'no',
      ]),
      none: 'this filesystem has no subvolume except its top level',
    });
    return 0;
  },
});

function nameOf(all: readonly btrfs.SubvolumeRow[], uuid: string | null): string {
  if (uuid === null) return '-';
  const parent = all.find((row) => row.uuid === uuid);
  return parent === undefined ? uuid : printable(parent.shown);
}
