import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { emptyVolume } from '../stage.ts';
import type { Tx } from '../../../../src/operations.ts';
import type { Specimen, Specimens } from '../specimens.ts';
import { noChange } from './no-program.ts';

/** Two volumes of a resource, on this host and its peer. */
export const web1Resource = `resource web1 {
  net {
    protocol C;
  }
${['sim', 'peer']
  .map(
    (name, at) => `  on ${name} {
    volume 0 {
      device minor 3;
      disk /dev/vg0/web1-root;
      meta-disk internal;
    }
    volume 1 {
      device minor 4;
      disk /dev/vg0/web1-data;
      meta-disk internal;
    }
    address ipv4 10.0.0.${String(at + 1)}:7789;
  }
`,
  )
  .join('')}}
`;

/** An older resource of ours, and a foreign one that is up; its name begins like ours. */
export function replicatedVolumes(
  host: SimulatedHost,
  state: 'not configured' | 'down' | 'secondary' | 'primary',
): void {
  const { admin } = host;
  for (const [at, name] of ['web1-root', 'web1-data', 'web1-other'].entries())
    admin.drbdMetadata(emptyVolume(host, name), `3bde6cc090b8231${String(at)}`, 'UpToDate');
  admin.writeFile('/etc/drbd.conf', 'include "drbd.d/*.res";\n');
  admin.mkdir('/etc/drbd.d');
  admin.writeFile('/etc/drbd.d/web1.res', web1Resource);
  const other = web1Resource
    .replace('resource web1 ', 'resource web10 ')
    .replaceAll(/ {4}volume 1 \{[^}]*\}\n/g, '')
    .replaceAll('minor 3', 'minor 10')
    .replaceAll('web1-root', 'web1-other')
    .replaceAll(':7789', ':7790');
  admin.writeFile('/etc/drbd.d/web10.res', other);
  admin.drbdadm('up', 'web10');
  admin.drbdadm('primary', 'web10');
  if (state === 'not configured') admin.removeFile('/etc/drbd.d/web1.res');
  if (state === 'down' || state === 'not configured') return;
  admin.drbdadm('up', 'web1');
  if (state === 'primary') admin.drbdadm('primary', 'web1');
}

/** A resource beside them, on this host and its peer, on the volume of ours. */
export const newResource = {
  name: 'web1',
  hosts: ['sim', 'peer'].map((name, at) => ({
    ...{ name, address: `10.0.0.${String(at + 1)}`, port: 7789 },
    volumes: [{ minor: 3, disk: '/dev/vg0/web1-root' }],
  })),
};

/** The same, connected to a peer whose data are up to date as well. */
function connectedVolumes(host: SimulatedHost, role: 'Primary' | 'Secondary' = 'Secondary'): void {
  replicatedVolumes(host, 'secondary');
  host.admin.setDrbd('web1', {
    ...{ role, connection: 'Connected' },
    peer: { role: 'Secondary', disk: 'UpToDate' },
  });
}

/** Up again after a boot, and with its peer. */
function upAgain(
  role: 'Primary' | 'Secondary' = 'Secondary',
  peerDisk: 'UpToDate' | 'Inconsistent' = 'UpToDate',
) {
  return (host: SimulatedHost): void => {
    host.admin.drbdadm('up', 'web1');
    host.admin.setDrbd('web1', {
      ...{ role, connection: 'Connected' },
      peer: { role: 'Secondary', disk: peerDisk },
    });
  };
}

/** What there is to do, on a resource that is up, after other words of the administrator. */
function after(words: readonly (readonly string[])[], act: (tx: Tx) => Promise<unknown>): Specimen {
  return {
    stage: (host) => {
      replicatedVolumes(host, 'secondary');
      for (const each of words) host.admin.drbdadm(...each);
      return act;
    },
  };
}

const keepsData = { notAfterBoot: /the host was booted.*Nothing was discarded/ } as const;

const newUuid = '5e1f000000000001';
const web1 = { name: 'web1' } as const;

const noInverse = 'its act has no inverse, and comes after the commit';
const deferred = { 'inverse fails once': noInverse, 'inverse fails always': noInverse } as const;

export const drbd: Specimens['drbd'] = {
  attach: [after([['detach', 'web1']], (tx) => tx.drbd.attach(web1))],
  detach: [after([], (tx) => tx.drbd.detach(web1))],
  connect: [
    { title: 'to a peer', ...after([['disconnect', 'web1']], (tx) => tx.drbd.connect(web1)) },
    {
      title: 'with its own data discarded, after the commit',
      ...after([['disconnect', 'web1']], (tx) => tx.drbd.connect({ ...web1, discardMyData: true })),
      heal: upAgain(),
    },
    {
      title: 'with its own data discarded, of one that looks for its peer',
      ...after([], (tx) => tx.drbd.connect({ ...web1, discardMyData: true })),
      heal: upAgain(),
    },
  ],
  disconnect: [after([], (tx) => tx.drbd.disconnect(web1))],
  pauseSync: [after([], (tx) => tx.drbd.pauseSync(web1))],
  resumeSync: [after([['pause-sync', 'web1']], (tx) => tx.drbd.resumeSync(web1))],
  adjust: [
    {
      ...after([['disconnect', 'web1']], (tx) => tx.drbd.adjust(web1)),
      notApplicable: deferred,
    },
  ],
  resize: [
    {
      stage: (host) => {
        connectedVolumes(host, 'Primary');
        // As large as it was before its disk has grown.
        for (const volume of host.world.drbd.resources.find(({ name }) => name === 'web1')?.volumes ?? [])
          volume.size -= 4 * 1024 ** 2;
        return (tx) => tx.drbd.resize({ ...web1, volume: 0 });
      },
      heal: upAgain('Primary'),
      notApplicable: deferred,
    },
  ],
  newCurrentUuid: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'down');
        for (const [at, name] of ['web1-root', 'web1-data'].entries())
          host.admin.drbdMetadata(`/dev/vg0/${name}`, `3bde6cc090b8231${String(at)}`, 'Inconsistent');
        host.admin.drbdadm('up', 'web1');
        host.admin.setDrbd('web1', {
          connection: 'Connected',
          peer: { role: 'Secondary', disk: 'Inconsistent' },
        });
        return (tx) => tx.drbd.newCurrentUuid({ ...web1, volume: 0 });
      },
      heal: upAgain('Secondary', 'Inconsistent'),
      notApplicable: deferred,
    },
  ],
  invalidate: [
    {
      stage: (host) => {
        connectedVolumes(host);
        return (tx) => tx.drbd.invalidate({ ...web1, volume: 0 });
      },
      heal: upAgain(),
      ...keepsData,
      notApplicable: deferred,
    },
  ],
  invalidateRemote: [
    {
      stage: (host) => {
        connectedVolumes(host);
        return (tx) => tx.drbd.invalidateRemote({ ...web1, volume: 0 });
      },
      heal: upAgain(),
      ...keepsData,
      notApplicable: deferred,
    },
  ],
  verify: [
    {
      stage: (host) => {
        connectedVolumes(host);
        host.admin.writeFile(
          '/etc/drbd.d/web1.res',
          web1Resource.replace('protocol C;', 'protocol C;\n    verify-alg crc32c;'),
        );
        return (tx) => tx.drbd.verify({ ...web1, volume: 0 });
      },
    },
  ],
  createConfig: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'not configured');
        return (tx) => tx.drbd.createConfig(newResource);
      },
      notApplicable: noChange,
    },
  ],
  createMetadata: [
    {
      title: 'on a blank device',
      stage: (host) => {
        replicatedVolumes(host, 'down');
        host.admin.format('/dev/vg0/web1-root', undefined);
        return (tx) => tx.drbd.createMetadata({ ...web1, volume: 0, uuid: newUuid });
      },
    },
    {
      title: 'that say whose data there are',
      stage: (host) => {
        replicatedVolumes(host, 'down');
        host.admin.format('/dev/vg0/web1-root', undefined);
        const generation = { uuid: '5e1f0000000000a0', peers: [1] };
        return (tx) => tx.drbd.createMetadata({ ...web1, volume: 0, uuid: newUuid, generation });
      },
    },
    {
      title: 'over metadata',
      stage: (host) => {
        replicatedVolumes(host, 'down');
        return (tx) =>
          tx.drbd.createMetadata({
            ...{ name: 'web1', volume: 0, overwrite: ['3bde6cc090b82310'] },
            uuid: newUuid,
          });
      },
    },
  ],
  removeMetadata: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'down');
        return (tx) => tx.drbd.removeMetadata({ ...web1, volume: 0, uuid: '3bde6cc090b82310' });
      },
    },
  ],
  removeConfig: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'down');
        return (tx) => tx.drbd.removeConfig({ name: 'web1' });
      },
    },
    {
      title: 'of a resource that is up, and goes on',
      stage: (host) => {
        replicatedVolumes(host, 'primary');
        return (tx) => tx.drbd.removeConfig({ name: 'web1', whileUp: true });
      },
    },
  ],
  up: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'down');
        return (tx) => tx.drbd.up({ name: 'web1' });
      },
    },
  ],
  down: [
    {
      title: 'that looks for its peer',
      stage: (host) => {
        replicatedVolumes(host, 'secondary');
        return (tx) => tx.drbd.down({ name: 'web1' });
      },
    },
    {
      title: 'that is StandAlone',
      ...after([['disconnect', 'web1']], (tx) => tx.drbd.down({ name: 'web1' })),
    },
  ],
  primary: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'secondary');
        return (tx) => tx.drbd.primary({ name: 'web1' });
      },
    },
  ],
  secondary: [
    {
      stage: (host) => {
        replicatedVolumes(host, 'primary');
        return (tx) => tx.drbd.secondary({ name: 'web1' });
      },
    },
  ],
};
