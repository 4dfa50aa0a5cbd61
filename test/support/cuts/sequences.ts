import { createCommand, removeCommand, guest } from '../matrix/stage.ts';
import { makeStack, resizeCommand, resized, sizes, treeHash } from '../matrix/stacks.ts';
import { config, makeFilled, root, uuid } from '../matrix/operations/shell.ts';
import type { Hypervisor } from '../rig/index.ts';

/** What is recorded, and how one looks at the host afterwards. All of it is shell. */
export interface CutSequence {
  readonly name: string;
  readonly hypervisor: Hypervisor;
  /** It comes up every so many turns: slow ones less often. */
  readonly every: 1 | 3 | 8;
  /** Run before the recording counts; what it does is on the disks. */
  readonly setUp: string;
  readonly command: string;
  /** The body of a script that `command` runs. */
  readonly script?: string;
  /** What the boot of a real host brings up: run before recovery. */
  readonly atBoot?: string;
  /** Prints what the fingerprint of the host does not see. */
  readonly content: string;
}

export const scriptPath = '/root/cuts.ts';
const runScript = `bofh run ${scriptPath}`;

/** Names and contents of the files in a filesystem on a volume, when there is one; ends what it has begun. */
function filesOn(volume: string): string {
  const at = '/run/cuts-look';
  return (
    `if [ -e ${volume} ]; then echo ${volume}; mkdir -p ${at}; mount -o ro ${volume} ${at} && ` +
    `{ (cd ${at} && find . -type f -print0 | sort -z | xargs -0r md5sum | grep -v ' ./var/'; find . -not -type f | sort); umount ${at}; }; fi`
  );
}

const openStack = `test -e /dev/mapper/${guest} || { printf geheim > /run/rig-key && cryptsetup open --type luks --key-file=- ${root} ${guest} < /run/rig-key && mkdir -p /run/rig-stack && udevadm settle; }`;

const stack = (by: number): CutSequence => ({
  name: `block resize of LV, LUKS and ext4 by ${by > 0 ? '+' : ''}${by} MiB`,
  hypervisor: 'none',
  every: 3,
  setUp: makeStack('ext4'),
  command: resizeCommand(resized('ext4', by)),
  atBoot: openStack,
  content: `${sizes('ext4')} && ${treeHash('ext4')}`,
});

const pool = `/dev/vg0/${guest}-pool`;
const poolAt = `/srv/${guest}-pool`;

export const sequences: readonly CutSequence[] = [
  {
    name: 'vm create',
    hypervisor: 'xen',
    every: 8,
    setUp: 'true',
    command: createCommand,
    content: filesOn(root),
  },
  {
    name: 'vm remove',
    hypervisor: 'xen',
    every: 8,
    setUp: createCommand,
    command: removeCommand,
    content: filesOn(root),
  },
  stack(32),
  stack(-8),
  {
    name: 'LV, ext4, mount, unpack, fstab',
    hypervisor: 'none',
    every: 1,
    setUp: `mkdir -p /mnt/${guest}`,
    command: runScript,
    script: `const lv = await tx.lvm.createLv({ vg: 'vg0', name: '${guest}-root', size: '64m' });
  await tx.filesystem.create({ device: lv.path, type: 'ext4', uuid: '${uuid}' });
  await tx.mount.addFstab({ source: 'UUID=${uuid}', target: '/mnt/${guest}', type: 'ext4', options: ['nofail'] });
  const mounted = await tx.mount.mount({ device: lv.path, mode: 'rw' });
  await tx.copy.unpack({ source: '/srv/guest.tar', root: mounted.path, device: lv.path, filesystem: '${uuid}', files: [{ path: 'etc/hostname', content: '${guest}\\n', mode: 0o644 }] });`,
    content: filesOn(root),
  },
  {
    name: 'LV renamed, snapshot made, another one merged',
    hypervisor: 'none',
    every: 1,
    setUp:
      `${makeFilled} && mkdir -p /run/cuts-look && mount ${root} /run/cuts-look && tar -x -f /srv/guest.tar -C /run/cuts-look && umount /run/cuts-look && ` +
      `lvcreate -q -s -L 16M -n ${guest}-old vg0/${guest}-root && mount ${root} /run/cuts-look && head -c 4M /dev/urandom > /run/cuts-look/newer && rm -r /run/cuts-look/bin && umount /run/cuts-look && ` +
      `lvcreate -q -y -W y -L 32M -n ${guest}-data vg0 && mkfs.ext4 -q /dev/vg0/${guest}-data`,
    command: runScript,
    script: `await tx.lvm.renameLv({ vg: 'vg0', name: '${guest}-data', to: '${guest}-new' });
  await tx.lvm.createSnapshot({ vg: 'vg0', origin: '${guest}-new', name: '${guest}-snap', size: '16m' });
  await tx.lvm.mergeSnapshot({ vg: 'vg0', name: '${guest}-old' });`,
    content: `${filesOn(root)}; ${filesOn(`/dev/vg0/${guest}-new`)}; ${filesOn(`/dev/vg0/${guest}-data`)}`,
  },
  {
    name: 'btrfs subvolume and snapshots, xl config',
    hypervisor: 'none',
    every: 1,
    setUp:
      `lvcreate --quiet -y -W y -L 256M -n ${guest}-pool vg0 && mkfs.btrfs -q -U ${uuid} ${pool} && mkdir -p ${poolAt} && mount ${pool} ${poolAt} && ` +
      `btrfs subvolume create ${poolAt}/home && tar -x -f /srv/guest.tar -C ${poolAt}/home && btrfs subvolume create ${poolAt}/old && echo old > ${poolAt}/old/file`,
    command: runScript,
    script: `await tx.btrfs.createSubvolume({ path: '${poolAt}/new' });
  await tx.btrfs.snapshot({ source: '${poolAt}/home', path: '${poolAt}/snap', mode: 'ro' });
  await tx.file.create({ path: '${config}', content: 'name = "${guest}"\\n', mode: 0o644 });
  await tx.btrfs.removeSubvolume({ path: '${poolAt}/old' });`,
    atBoot: `mountpoint -q ${poolAt} || mount ${pool} ${poolAt}`,
    content: `btrfs subvolume list -auqR ${poolAt} | sed 's/ gen [0-9]* / /'; (cd ${poolAt} && find . -type f -print0 | sort -z | xargs -0r md5sum; find . -not -type f | sort)`,
  },
];
