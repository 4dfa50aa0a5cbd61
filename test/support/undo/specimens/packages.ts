import type { Specimens } from '../specimens.ts';

/** test/container/packages.test.ts has what others do to a package. */
const noContent = {
  'the world moved on': 'apt chooses versions by name, and no device has a number that a boot changes',
  'foreign content':
    'data in /var/lib, which a package may have, are never compared: docs/provisioning.md says so',
  'identity reused': 'a package is its name and version: another version stays as it is',
} as const;

export const packages: Specimens['packages'] = {
  change: [
    {
      title: 'installed with a dependency, upgraded and removed',
      stage: (host) => {
        host.admin.install([
          { name: 'dpkg', version: '1.21.22' },
          { name: 'web1', version: '1.0', files: ['/etc/web1.conf', '/usr/bin/web1'] },
          { name: 'old', version: '0.9', files: ['/etc/old.conf'] },
        ]);
        host.admin.publish([
          { name: 'web1', version: '1.0' },
          { name: 'web1', version: '2.0', files: ['/etc/web1.conf', '/usr/bin/web1'] },
          { name: 'old', version: '0.9' },
          { name: 'lib', version: '1:1.0', files: ['/usr/lib/lib.so'] },
          { name: 'new', version: '3.1-1', depends: ['lib'], files: ['/usr/bin/new'] },
        ]);
        return (tx) => tx.packages.change({ install: ['new', 'web1=2.0'], purge: ['old'], hold: ['web1'] });
      },
      notApplicable: noContent,
    },
  ],
};
