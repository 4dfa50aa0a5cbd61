import type { Specimens } from '../specimens.ts';
import { noProgram } from './no-program.ts';

/** test/unit/file/link.test.ts has what others do to it. */
const noContent = {
  'foreign content': 'a symbolic link has no content that others could write to',
  'identity reused': 'a symbolic link has no content: another link at its place has another inode',
} as const;

/** Sets one, changes one, and removes one. */
const xattrs = { 'user.note': 'bmV3', 'trusted.new': '', 'user.old': null };

const listed = 'user::rw-,user:7:rwx,group::r--,mask::rwx,other::---';

export const file: Specimens['file'] = {
  change: [
    {
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\nmemory = 128\n');
        const content = 'name = "web1"\nmemory = 256\n';
        return (tx) => tx.file.change({ path: '/etc/xen/web1.cfg', content });
      },
    },
    {
      title: 'with an ACL',
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\nmemory = 128\n', 0o640);
        host.admin.setAcl('/etc/xen/web1.cfg', listed);
        const content = 'name = "web1"\nmemory = 256\n';
        return (tx) => tx.file.change({ path: '/etc/xen/web1.cfg', content, uid: 33, acl: ['user:33:r--'] });
      },
    },
    {
      title: 'with extended attributes',
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\nmemory = 128\n', 0o640);
        for (const name of ['user.old', 'user.note', 'user.other'])
          host.admin.setXattr('/etc/xen/web1.cfg', name, name);
        const content = 'name = "web1"\nmemory = 256\n';
        return (tx) => tx.file.change({ path: '/etc/xen/web1.cfg', content, mode: 0o600, xattrs });
      },
    },
  ],
  create: [
    {
      stage: () => (tx) =>
        tx.file.create({ path: '/etc/xen/web1.cfg', content: 'name = "web1"\n', mode: 0o644 }),
      notApplicable: noProgram,
    },
    {
      title: 'with an ACL',
      stage: () => (tx) =>
        tx.file.create({
          ...{ path: '/etc/xen/web1.cfg', content: 'name = "web1"\n', mode: 0o640 },
          acl: ['user:33:rw-'],
        }),
    },
    {
      title: 'with extended attributes',
      stage: () => (tx) =>
        tx.file.create({ path: '/etc/xen/web1.cfg', content: 'name = "web1"\n', mode: 0o640, xattrs }),
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
    {
      title: 'with ACLs and extended attributes',
      stage: () => (tx) =>
        tx.file.createDirectory({
          ...{ path: '/srv/photos', mode: 0o2750 },
          ...{ acl: ['user:33:rwx'], defaultAcl: ['user:33:rwx'], xattrs },
        }),
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
    {
      title: 'leads elsewhere',
      stage: (host) => {
        host.admin.symlink('/etc/xen/auto/web1.cfg', '../web1.cfg');
        return (tx) =>
          tx.file.link({ path: '/etc/xen/auto/web1.cfg', from: '../web1.cfg', to: '../web2.cfg' });
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
    },
  ],
  removeDirectory: [
    {
      stage: (host) => {
        host.admin.mkdir('/srv/photos');
        return (tx) => tx.file.removeDirectory({ path: '/srv/photos' });
      },
      notApplicable: {
        'foreign content':
          'a directory that is not empty is never removed: test/unit/file/remove-directory.test.ts',
        'identity reused':
          'an empty directory has nothing to lose: test/unit/file/remove-directory.test.ts has one that others replaced',
      },
    },
    {
      title: 'emptied by the sequence',
      before: ['file.remove'],
      stage: (host) => {
        host.admin.mkdir('/srv/photos');
        host.admin.writeFile('/srv/photos/one', 'one');
        return async (tx) => {
          await tx.file.remove({ path: '/srv/photos/one' });
          await tx.file.removeDirectory({ path: '/srv/photos', emptied: ['/srv/photos/one'] });
        };
      },
    },
  ],
  setAttributes: [
    {
      title: 'of a directory',
      stage: (host) => {
        host.admin.mkdir('/srv/photos');
        return (tx) => tx.file.setAttributes({ path: '/srv/photos', uid: 33, gid: 33, mode: 0o2750 });
      },
      notApplicable: {
        'foreign content': 'what is in a directory is not touched',
        'identity reused': 'a directory that others replaced has no attribute of ours',
      },
    },
    {
      title: 'of a file',
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\n');
        return (tx) => tx.file.setAttributes({ path: '/etc/xen/web1.cfg', mode: 0o600 });
      },
    },
    {
      title: 'ACL of a file',
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\n', 0o640);
        host.admin.setAcl('/etc/xen/web1.cfg', listed);
        return (tx) =>
          tx.file.setAttributes({ path: '/etc/xen/web1.cfg', mode: 0o2600, acl: ['group:33:r--'] });
      },
    },
    {
      title: 'extended attributes of a file',
      stage: (host) => {
        host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\n', 0o640);
        for (const name of ['user.old', 'user.note', 'user.other'])
          host.admin.setXattr('/etc/xen/web1.cfg', name, name);
        return (tx) => tx.file.setAttributes({ path: '/etc/xen/web1.cfg', mode: 0o600, xattrs });
      },
    },
    {
      title: 'ACLs of a directory',
      stage: (host) => {
        host.admin.mkdir('/srv/photos');
        host.admin.setAcl('/srv/photos', 'user::rwx,group::r-x,other::r-x', listed);
        return (tx) =>
          tx.file.setAttributes({
            ...{ path: '/srv/photos', gid: 33, acl: ['user:33:r-x', 'mask::rwx'] },
            defaultAcl: ['user:33:rwx', 'other::---'],
          });
      },
      notApplicable: {
        'foreign content': 'what is in a directory is not touched',
        'identity reused': 'a directory that others replaced has no attribute of ours',
      },
    },
  ],
};
