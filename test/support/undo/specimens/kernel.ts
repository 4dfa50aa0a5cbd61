import type { Specimens } from '../specimens.ts';

const noNumber = { 'the world moved on': 'a parameter has no number that a boot changes' } as const;
const alone = {
  ...noNumber,
  'foreign content': 'a kernel parameter has no content that others could write to',
  'identity reused': 'a parameter is known by its name alone',
  'hangs in the undo at boot': 'the boot has the value before',
} as const;

const noModuleNumber = { 'the world moved on': 'a module has no number that a boot changes' } as const;
const module = {
  ...noModuleNumber,
  'foreign content': 'a kernel module has no content that others could write to',
  'identity reused': 'a module is known by its name alone',
  'hangs in the undo at boot': 'after a boot the module is not loaded',
} as const;

export const kernel: Specimens['kernel'] = {
  loadModule: [
    {
      title: 'one that needs no other',
      stage: () => (tx) => tx.kernel.loadModule({ name: 'dummy', parameters: { numdummies: 2 } }),
      notApplicable: module,
    },
    {
      title: 'one that needs others',
      stage: (host) => {
        host.admin.module('llc');
        return (tx) => tx.kernel.loadModule({ name: 'br-netfilter' });
      },
      notApplicable: module,
    },
    {
      title: 'one that a boot loads too, by a file of the sequence',
      stage: (host) => {
        host.admin.mkdir('/etc/modules-load.d');
        return async (tx) => {
          await tx.kernel.loadModule({ name: 'dummy' });
          await tx.file.create({ path: '/etc/modules-load.d/dummy.conf', content: 'dummy\n' });
        };
      },
      after: ['file.create'],
      notApplicable: noModuleNumber,
    },
  ],
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
