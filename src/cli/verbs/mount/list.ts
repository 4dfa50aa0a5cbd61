import * as mount from '../../../api/mount.ts';
import { withBofh } from '../../../bofh.ts';
import { give } from '../../output/answer.ts';
import type { MountList } from '../../output/answers/index.ts';
import { openSession } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';

/**
 * The source of these may be a bare name: a tag of virtiofs or 9p, a pool of ZFS, a program of
 * FUSE.
 */
const named = /^(?:virtiofs|9p|zfs|fuse(?:\..+)?)$/;

/** Without `--all` only mounts whose source is a device, a share or a directory. */
export default verb({
  changes: false,
  answers: 'mount list',
  table: true,
  options: { all: flag('also list the pseudo filesystems of the kernel (proc, sysfs, …)') },
  examples: ['mount list'],
  run: async (runtime, { all }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await withBofh(bofh, () => mount.mounts());
    const shown = all ? found : found.filter(({ source, type }) => /[/:]/.test(source) || named.test(type));
    const data: MountList = shown.map(({ id, path, source, root, type, options, superOptions }) => ({
      ...{ id, path, source, root, type },
      options: options.split(','),
      filesystemOptions: superOptions.split(','),
    }));
    give(runtime, {
      data,
      head: ['ID', 'PATH', 'SOURCE', 'TYPE', 'OPTIONS'],
      rows: data.map((each) => [
        String(each.id),
        each.path,
        each.root === '/' ? each.source : `${each.source}[${each.root}]`,
        each.type,
        shownOptions(each),
      ]),
      none: 'only mounts of the kernel itself; to see them, add --all',
    });
    return 0;
  },
});

/** The options to show. If the mount or the filesystem is read-only, the `rw` of the other one is left out. */
function shownOptions({ options, filesystemOptions }: MountList[number]): string {
  const all = [...new Set([...options, ...filesystemOptions])];
  return all.filter((word) => word !== 'rw' || !all.includes('ro')).join(',');
}
