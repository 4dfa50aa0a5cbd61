import type { Noun } from '../../runtime/verb.ts';

export const drbd: Noun = {
  summary: 'replicated devices (DRBD)',
  verbs: {
    list: ['list resources that are configured or up, with their volumes', () => import('./list.ts')],
    status: ['show problems and how to fix them, for all resources or one', () => import('./status.ts')],
    show: [
      'show one resource: hosts, addresses, devices, sizes and its state in the kernel',
      () => import('./show.ts'),
    ],
    next: ['show a free port and a free minor number for a new resource', () => import('./next.ts')],
    up: ['bring up a resource: attach its disks and connect to its peers', () => import('./up.ts')],
    down: ['bring down an unused, secondary resource', () => import('./down.ts')],
    primary: ['make this host primary, so that the devices can be used', () => import('./primary.ts')],
    secondary: [
      'make this host secondary; refused while a device is in use; the error names its holders',
      () => import('./secondary.ts'),
    ],
    attach: ['attach the disks of a resource that is up', () => import('./attach.ts')],
    detach: [
      'detach the disks of a resource; refused on a primary if no peer has the data',
      () => import('./detach.ts'),
    ],
    disconnect: ['disconnect a resource from its peers', () => import('./disconnect.ts')],
    'pause-sync': ['pause the resync on this host', () => import('./pause-sync.ts')],
    'resume-sync': ['continue a paused resync', () => import('./resume-sync.ts')],
    adjust: ['apply the configuration of a resource', () => import('./adjust.ts')],
    resize: [
      'grow a resource to the size of its disks, after they were enlarged on every host',
      () => import('./resize.ts'),
    ],
    'new-current-uuid': [
      'skip the initial resync of a new, connected resource whose disks are identical on both hosts',
      () => import('./new-current-uuid.ts'),
    ],
    invalidate: ['discard the data of this host and resync from the peer', () => import('./invalidate.ts')],
    'invalidate-remote': [
      'discard the data of the peer and resync it from this host',
      () => import('./invalidate-remote.ts'),
    ],
    connect: ['connect a StandAlone resource to its peers', () => import('./connect.ts')],
    verify: [
      'compare the data of this host and its peer block by block, and wait for the result (exit 6: the data differs)',
      () => import('./verify.ts'),
    ],
    'wait-connect': ['wait until a resource is connected to every peer', () => import('./wait-connect.ts')],
    'wait-sync': [
      'wait until a resource is up to date on all hosts, and show the progress',
      () => import('./wait-sync.ts'),
    ],
    create: [
      'create a resource on two hosts (volumes, configuration, metadata), bring it up and connect it',
      () => import('./create.ts'),
    ],
    convert: [
      'replicate an existing logical volume, with its data, to a second host',
      () => import('./convert.ts'),
    ],
    'replace-peer': [
      'replace the peer of a resource by another host and copy the data of this host to it; the device may stay in use',
      () => import('./replace-peer.ts'),
    ],
    remove: [
      'remove a resource on both hosts: bring it down, remove its configuration and its logical volumes',
      () => import('./remove.ts'),
    ],
    promote: [
      'make one host primary and the other secondary; refused while the device is in use',
      () => import('./promote.ts'),
    ],
    demote: ['make a resource secondary on the host where it is primary', () => import('./demote.ts')],
    grow: ['grow a resource: its logical volumes on both hosts, then its device', () => import('./grow.ts')],
    config: {
      summary: 'configuration files of resources',
      verbs: {
        create: [
          'write the configuration file of a new resource, after a check by drbdadm',
          () => import('./config/create.ts'),
        ],
        remove: [
          'remove the configuration file of a resource that is down; data and metadata stay',
          () => import('./config/remove.ts'),
        ],
      },
    },
    'create-md': [
      'write new metadata to the end of the device of a volume; existing content must be named',
      () => import('./create-md.ts'),
    ],
    'wipe-md': [
      'remove the metadata of a volume from its device; the data stays',
      () => import('./wipe-md.ts'),
    ],
  },
};
