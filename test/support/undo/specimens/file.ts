import type { Specimens } from '../specimens.ts';
import { noProgram } from './no-program.ts';

/** test/unit/file/link.test.ts has what others do to it. */
const noContent = {
  'foreign content': 'a symbolic link has no content that others could write to',
  'identity reused': 'a symbolic link has no content: another one at its place is told by its inode',
} as const;

export const file: Specimens['file'] = {
  change: [
    {
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\nmemory = 128\n');
        const content = 'name = "web1"\nmemory = 256\n';
        return (tx) => tx.file.change({ path: '/etc/xen/web1.cfg', content });
      },
    },
  ],
  create: [
    {
      stage: () => (tx) =>
        tx.file.create({ path: '/etc/xen/web1.cfg', content: 'name = "web1"\n', mode: 0o644 }),
      notApplicable: noProgram,
    },
  ],
  createDirectory: [
    {
      stage: () => (tx) => tx.file.createDirectory({ path: '/srv/photos', mode: 0o750 }),
      notApplicable: {
        'foreign content':
          'a directory that is not empty is never removed: test/unit/file/create-directory.test.ts',
        'identity reused':
          'an empty directory has nothing to lose: test/unit/file/create-directory.test.ts has one that others replaced',
      },
    },
  ],
  link: [
    {
      title: 'created',
      stage: () => (tx) => tx.file.link({ path: '/etc/xen/auto/web1.cfg', to: '../web1.cfg' }),
      notApplicable: noContent,
    },
    {
      title: 'removed',
      stage: (host) => {
        host.admin.symlink('/etc/xen/auto/web1.cfg', '../web1.cfg');
        return (tx) => tx.file.link({ path: '/etc/xen/auto/web1.cfg', to: null });
      },
      notApplicable: noContent,
    },
  ],
  remove: [
    {
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\n');
        return (tx) => tx.file.remove({ path: '/etc/xen/web1.cfg' });
      },
      notApplicable: noProgram,
    },
  ],
};
