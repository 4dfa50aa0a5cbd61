import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Specimens } from '../specimens.ts';

const nothingLeft = { 'the world moved on': 'after the commit nothing is left to do' } as const;

const beforeCommit = 'before the commit the step changes nothing';

/** A user with a key and memberships, and others whose names are like it. */
function web(host: SimulatedHost): void {
  host.admin.writeFile(
    '/etc/passwd',
    'root:x:0:0:root:/root:/bin/bash\nweb10:x:1009:1009::/home/web10:/bin/sh\nweb:x:1001:1001:Web:/home/web:/bin/bash\n',
  );
  host.admin.writeFile('/etc/group', 'root:x:0:\nadm:x:4:web10\nweb10:x:1009:\nweb:x:1001:\n');
  host.admin.writeFile('/etc/gshadow', 'root:*::\nadm:*::web10\nweb10:!::\nweb:!::\n');
  host.admin.writeFile(
    '/etc/shadow',
    'root:*:20000:0:99999:7:::\nweb:$y$j9T$old:20001:0:99999:7::30000:\nweb10:!:20002:0:99999:7:::\n',
    0o640,
  );
  host.admin.writeFile('/home/web/.ssh/authorized_keys', 'ssh-ed25519 AAAA old\n', 0o640);
  for (const path of ['/home/web', '/home/web/.ssh', '/home/web/.ssh/authorized_keys'])
    host.admin.chown(path, 1001);
}

const user = 'web';

export const account: Specimens['account'] = {
  createGroup: [
    {
      stage: () => (tx) => tx.account.createGroup({ name: 'photos', system: true }),
      notApplicable: nothingLeft,
    },
  ],
  createUser: [
    {
      title: 'with a home',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.createUser({ name: 'photos', group: 'adm', shell: '/bin/sh' });
      },
      notApplicable: nothingLeft,
    },
    {
      title: 'of a service, with a group that has its name',
      stage: (host) => {
        host.admin.writeFile('/etc/group', 'root:x:0:\nphotos:x:900:\nnogroup:x:65534:\n');
        host.admin.writeFile('/etc/gshadow', 'root:*::\nphotos:!::\nnogroup:*::\n');
        return (tx) => tx.account.createUser({ name: 'photos', system: true });
      },
      notApplicable: nothingLeft,
    },
  ],
  setMembership: [
    {
      title: 'joined',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setMembership({ user, group: 'adm', member: true });
      },
      notApplicable: nothingLeft,
    },
    {
      title: 'left',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setMembership({ user: 'web10', group: 'adm', member: false });
      },
      notApplicable: nothingLeft,
    },
  ],
  setUser: [
    {
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setUser({ name: user, shell: '/bin/sh', comment: 'Photos' });
      },
      notApplicable: nothingLeft,
    },
  ],
  setKeys: [
    {
      title: 'replaced',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setKeys({ user, keys: ['ssh-ed25519 AAAB new'] });
      },
    },
    {
      title: 'the first ones',
      stage: (host) => {
        web(host);
        host.admin.removeFile('/home/web/.ssh/authorized_keys');
        return (tx) => tx.account.setKeys({ user, keys: ['ssh-ed25519 AAAB new'] });
      },
    },
  ],
  setPassword: [
    {
      title: 'a hash',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setPassword({ user, password: '$y$j9T$new' });
      },
      notApplicable: { 'the world moved on': 'only the old hash is left to remove' },
    },
    {
      title: 'locked',
      stage: (host) => {
        web(host);
        return (tx) => tx.account.setPassword({ user, password: 'locked' });
      },
      notApplicable: { 'the world moved on': 'only the old hash is left to remove' },
    },
  ],
  removeGroup: [
    {
      stage: (host) => {
        web(host);
        return (tx) => tx.account.removeGroup({ name: 'adm' });
      },
      notApplicable: {
        'inverse fails once': beforeCommit,
        'inverse fails always': beforeCommit,
        'foreign content': beforeCommit,
        'identity reused': beforeCommit,
        'hangs in the undo at boot': beforeCommit,
      },
    },
  ],
  removeUser: [
    {
      stage: (host) => {
        web(host);
        return (tx) => tx.account.removeUser({ name: user });
      },
    },
  ],
};
