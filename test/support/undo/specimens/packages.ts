import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Specimens } from '../specimens.ts';

/** test/container/packages.test.ts has what others do to a package. */
const noContent = {
  'the world moved on': 'apt chooses versions by name, and no device has a number that a boot changes',
  'foreign content':
    'data in /var/lib, which a package may have, are never compared: docs/provisioning.md says so',
  'identity reused': 'a package is its name and version: another version stays as it is',
} as const;

const file = '/etc/apt/sources.list.d/site.sources';

const noList = {
  'the world moved on': 'no list has a number that a boot changes',
} as const;

function source(host: SimulatedHost): void {
  host.admin.mkdir('/etc/apt/keyrings');
  host.admin.mkdir('/etc/apt/sources.list.d');
  host.admin.mkdir('/var/lib/apt/lists');
  host.admin.writeFile('/etc/apt/keyrings/site.asc', 'key');
  host.admin.writeFile(
    file,
    'Types: deb\nURIs: https://example.org/debian\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/site.asc\n',
  );
  host.admin.repository('https://example.org/debian', {
    key: 'key',
    packages: [{ name: 'tiny', version: '1.0' }],
  });
}

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
  updateSource: [
    {
      title: 'for a new source',
      stage: (host) => {
        source(host);
        return (tx) => tx.packages.updateSource({ file });
      },
      notApplicable: noList,
    },
    {
      title: 'that replaces old lists',
      stage: (host) => {
        source(host);
        for (const name of ['InRelease', 'main_binary-amd64_Packages', 'main_binary-i386_Packages'])
          host.admin.writeFile(`/var/lib/apt/lists/example.org_debian_dists_stable_${name}`, 'old\n');
        return (tx) => tx.packages.updateSource({ file });
      },
      notApplicable: noList,
    },
  ],
};
