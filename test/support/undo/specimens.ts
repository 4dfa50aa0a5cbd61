import type { OperationMethods, Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/testing/index.ts';
import type { FaultName } from './fault-names.ts';
import { configuredGuest, emptyVolume, filledVolume, runningGuest } from './stage.ts';

/** One way to use an operation on the simulated host: what must be there before, and the call. */
export interface Specimen {
  /** Tells it from the other specimens of its kind. */
  readonly title?: string;
  /** Adds to a host full of other people's things what the operation works on. The call comes back. */
  readonly stage: (host: SimulatedHost) => (tx: Tx) => Promise<unknown>;
  /** Where undo brings back less than the very state (`restores: 'existence'`): what it then makes of the host as it was. */
  readonly restored?: (host: SimulatedHost) => void;
  /** Columns of the matrix that make no sense for this kind, with the reason. The run checks that it is true. */
  readonly notApplicable?: Partial<Readonly<Record<FaultName, string>>>;
}

/** Every operation of every driver: one that is missing here does not compile. */
export type Specimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D]]: readonly [Specimen, ...Specimen[]];
  };
};

const ownUuid = '5e1f0000-0000-4000-8000-000000000001';

const filesOnly = 'it starts no program that changes anything: files are changed by system calls';
const noProgram = {
  'acts and is killed': filesOnly,
  hangs: filesOnly,
  'exits 0 but did nothing': filesOnly,
  'answers garbage': 'it starts no program',
} as const;

export const specimens: Specimens = {
  lvm: {
    createLv: [
      { stage: () => (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '64m', tags: ['site'] }) },
    ],
    removeLv: [
      {
        title: 'active, with a filesystem',
        stage: (host) => {
          filledVolume(host, 'web1-root', ownUuid);
          return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-root' });
        },
      },
    ],
    renameLv: [
      {
        title: 'active, with a filesystem',
        stage: (host) => {
          filledVolume(host, 'web1-root', ownUuid);
          return (tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'web1-root', to: 'web2-root' });
        },
      },
      {
        title: 'with a snapshot',
        stage: (host) => {
          emptyVolume(host, 'web1-root');
          host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1-root', extents: 2 });
          return (tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'web1-root', to: 'web2-root' });
        },
      },
    ],
  },
  filesystem: {
    create: [
      {
        title: 'ext4',
        stage: (host) => {
          const device = emptyVolume(host, 'web1-root');
          return (tx) => tx.filesystem.create({ device, type: 'ext4', label: 'web1-root' });
        },
      },
      {
        title: 'swap',
        stage: (host) => {
          const device = emptyVolume(host, 'web1-swap');
          return (tx) => tx.filesystem.create({ device, type: 'swap' });
        },
      },
      {
        title: 'over another one',
        stage: (host) => {
          const device = filledVolume(host, 'web1-root', ownUuid);
          return (tx) => tx.filesystem.create({ device, type: 'ext4', overwrite: { uuid: ownUuid } });
        },
        restored: (host) => host.admin.format('/dev/vg0/web1-root', undefined),
      },
    ],
  },
  file: {
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
  },
  mount: {
    mount: [
      {
        title: 'on a directory of its own',
        stage: (host) => {
          const device = filledVolume(host, 'web1-root', ownUuid);
          return (tx) => tx.mount.mount({ device, mode: 'rw' });
        },
      },
      {
        title: "on the administrator's directory",
        stage: (host) => {
          const device = filledVolume(host, 'web1-root', ownUuid);
          host.admin.mkdir('/mnt/web1');
          return (tx) => tx.mount.mount({ device, path: '/mnt/web1', mode: 'ro' });
        },
      },
    ],
  },
  copy: {
    unpack: [
      {
        stage: (host) => {
          const device = emptyVolume(host, 'web1-root');
          const { admin } = host;
          admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
          admin.mkdir('/mnt/web1');
          admin.mount(device, '/mnt/web1');
          return (tx) =>
            tx.copy.unpack({
              source: '/srv/debian.tar',
              root: '/mnt/web1',
              device,
              filesystem: ownUuid,
              files: [{ path: 'etc/hostname', content: 'web1\n', mode: 0o644 }],
            });
        },
      },
    ],
  },
  xen: {
    create: [
      {
        stage: (host) => {
          const { config } = configuredGuest(host);
          return (tx) => tx.xen.create({ config, name: 'web1' });
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
        title: 'ended at once, paused',
        stage: (host) => {
          const { config, uuid } = runningGuest(host, 'paused');
          return (tx) => tx.xen.shutdown({ name: 'web1', uuid, config, how: 'destroy' });
        },
      },
    ],
  },
};
