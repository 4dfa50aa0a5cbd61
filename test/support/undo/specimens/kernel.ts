import type { Specimens } from '../specimens.ts';

const noNumber = { 'the world moved on': 'a parameter has no number that a boot changes' } as const;
const alone = {
  ...noNumber,
  'foreign content': 'a kernel parameter has no content that others could write to',
  'identity reused': 'a parameter is known by its name alone',
  'hangs in the undo at boot': 'the boot has the value before',
} as const;

export const kernel: Specimens['kernel'] = {
  setParameter: [
    {
      title: 'one that moves no other',
      stage: () => (tx) => tx.kernel.setParameter({ key: 'vm.swappiness', value: '10' }),
      notApplicable: alone,
    },
    {
      title: 'one that moves others',
      stage: (host) => {
        host.admin.sysctl('net/ipv4/conf/eth0/forwarding', '1');
        host.admin.sysctl('net/ipv4/conf/all/accept_redirects', '0');
        return (tx) => tx.kernel.setParameter({ key: 'net.ipv4.ip_forward', value: '1' });
      },
      notApplicable: alone,
    },
    {
      title: 'one that a boot sets too, by a file of the sequence',
      stage: (host) => {
        host.admin.mkdir('/etc/sysctl.d');
        return async (tx) => {
          await tx.kernel.setParameter({ key: 'vm.swappiness', value: '10' });
          await tx.file.create({ path: '/etc/sysctl.d/a.conf', content: 'vm.swappiness = 10\n' });
        };
      },
      after: ['file.create'],
      notApplicable: noNumber,
    },
  ],
};
