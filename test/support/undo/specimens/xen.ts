import { configuredGuest, runningGuest } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const xen: Specimens['xen'] = {
  create: [
    {
      stage: (host) => {
        const { config } = configuredGuest(host);
        return (tx) => tx.xen.create({ config, name: 'web1' });
      },
    },
  ],
  freeze: [
    {
      stage: (host) => {
        const { uuid } = runningGuest(host);
        const agent = { socket: '/run/xen/web1.sock', filesystems: 'thawed', answers: 'always' } as const;
        for (const domain of host.world.domains) if (domain.uuid === uuid) domain.agent = agent;
        return (tx) => tx.xen.freeze({ name: 'web1', uuid });
      },
    },
  ],
  set: [
    {
      title: 'memory',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        return (tx) => tx.xen.set({ name: 'web1', uuid, setting: 'memory', to: 64 * 1024 ** 2 });
      },
    },
    {
      title: 'paused',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        return (tx) => tx.xen.set({ name: 'web1', uuid, setting: 'paused', to: 1 });
      },
    },
    {
      title: 'unpaused',
      stage: (host) => {
        const { uuid } = runningGuest(host, 'paused');
        return (tx) => tx.xen.set({ name: 'web1', uuid, setting: 'paused', to: 0 });
      },
    },
  ],
  setDisk: [
    {
      title: 'attached',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        host.admin.lvcreate({ vg: 'vg0', name: 'more', extents: 2 });
        return (tx) => tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvdb', device: '/dev/vg0/more' });
      },
    },
    {
      title: 'detached',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        return (tx) => tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvda', device: null });
      },
    },
  ],
  setInterface: [
    {
      title: 'attached',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        const mac = '00:16:3e:00:00:09';
        return (tx) => tx.xen.setInterface({ name: 'web1', uuid, mac, bridge: 'xenbr0' });
      },
    },
    {
      title: 'detached',
      stage: (host) => {
        const { uuid } = runningGuest(host);
        const mac = '00:16:3e:00:00:08';
        for (const domain of host.world.domains)
          if (domain.uuid === uuid) domain.nics = [{ mac, bridge: 'xenbr0' }];
        return (tx) => tx.xen.setInterface({ name: 'web1', uuid, mac, bridge: null });
      },
    },
  ],
  shutdown: [
    {
      title: 'asked',
      stage: (host) => {
        const { config, uuid } = runningGuest(host);
        return (tx) => tx.xen.shutdown({ name: 'web1', uuid, config, how: 'shutdown', timeoutMs: 5_000 });
      },
    },
    {
      title: 'asked, or ended when the time is over',
      stage: (host) => {
        const { config, uuid } = runningGuest(host);
        const how = 'shutdown or destroy';
        return (tx) => tx.xen.shutdown({ name: 'web1', uuid, config, how, timeoutMs: 5_000 });
      },
    },
    {
      title: 'ended at once, paused',
      stage: (host) => {
        const { config, uuid } = runningGuest(host, 'paused');
        return (tx) => tx.xen.shutdown({ name: 'web1', uuid, config, how: 'destroy' });
      },
    },
  ],
};
