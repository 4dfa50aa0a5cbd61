import type { Specimens } from '../specimens.ts';
import { noProgram } from './no-program.ts';

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
