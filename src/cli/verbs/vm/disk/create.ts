import * as vm from '../../../../api/vm.ts';
import { present } from '../../../../core/present.ts';
import { fstabLine } from '../../../../vm/data-disks.ts';
import { crypttabLine } from '../../../../vm/disk-luks.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmDiskCreate } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { oneOf, value, verb } from '../../../runtime/verb.ts';
import { keyFile, keyInGuest } from '../key-file.ts';
import { dataOf, late } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm disk create',
  args: {
    name: ['<name>', 'name of the guest'],
    disk: ['<disk>', 'name of the new disk; its volume is GUEST-DISK, for example web1-data'],
  },
  options: {
    size: value('<SIZE>', 'size of the disk, for example 20g', { required: true }),
    fs: value('<TYPE>', 'filesystem: ext4, xfs or btrfs (default: ext4)', {
      read: oneOf('ext4', 'xfs', 'btrfs'),
    }),
    mount: value(
      '<DIR>',
      'mount point in the guest: adds a line to its /etc/fstab; only for a guest that is off',
    ),
    vg: value('<VG>', 'volume group of the disk (default: volumeGroup of the site file)'),
    thin: value('<POOL>', 'create it as a thin volume in this pool of the group'),
    luks: value(
      '<KEYFILE>',
      'encrypt it with LUKS2 and the key in this file of the host; with --mount the guest opens it, by a line in its /etc/crypttab',
    ),
  },
  examples: [
    'vm disk create web1 data --size 20g --mount /srv',
    'vm disk create web1 data --size 20g --fs xfs --thin pool0',
    'vm disk create web1 data --size 20g --mount /srv --luks /root/data.key',
  ],
  run: (runtime, { name, disk, size, fs, mount, vg, thin, luks: file }) => {
    const luks = file === undefined ? undefined : { key: keyFile(runtime, file) };
    return change(
      runtime,
      {
        act: () => vm.createDisk(name, disk, { size, ...present({ fs, mount, vg, thin, luks }) }),
        answer: ({ uuid, fs: type, mount: at, luks: header, ...made }): Answer<VmDiskCreate> => {
          const data = { ...dataOf(made), fs: type, uuid, mount: at ?? null, luks: header ?? null };
          return {
            data,
            lines: [
              `${data.disk} of ${name} is ${data.device} (${header === undefined ? '' : 'LUKS, '}${type})`,
              ...late(data),
              ...(at === undefined && header !== undefined
                ? [
                    `to open it in the guest, add to its /etc/crypttab: ${crypttabLine({ name: disk, uuid: header })}`,
                  ]
                : []),
              at === undefined
                ? `to mount it in the guest, add to its /etc/fstab: ${fstabLine({ uuid, mount: '/DIRECTORY', fs: type, ...(header === undefined ? {} : { luks: disk }) })}`
                : `the guest mounts it on ${at}`,
              ...(at === undefined || header === undefined ? [] : [keyInGuest(disk)]),
            ],
          };
        },
      },
      { site: 'used' },
    );
  },
});
