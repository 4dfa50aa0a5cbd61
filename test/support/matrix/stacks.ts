import { guest } from './stage.ts';
import type { RigRow } from './operation-trials.ts';
import type { RigSpecimen, Syscall } from './operations.ts';
import { root, uuid } from './operations/shell.ts';
import type { ToolCall } from './trials.ts';

/** A filesystem in a LUKS container on a logical volume, four fifths of it full of random files. */
export type StackType = 'ext4' | 'btrfs' | 'xfs';

/** Not that of the container: mkfs.btrfs refuses one that any device has. */
const filesystemUuid = uuid.replace(/.$/, 'c');
const key = '/run/rig-key';
const at = '/run/rig-stack';
const mapper = `/dev/mapper/${guest}`;

/** MiB of the logical volume at the start; 16 of them are the header of LUKS. mkfs.xfs wants 300, the kernel 256 of a btrfs. */
const startMiB: Readonly<Record<StackType, number>> = { ext4: 96, btrfs: 320, xfs: 320 };
// Of one with blocks of 1 KiB, as so small an ext4 has by default, resize2fs thinks that it can hardly be shrunk.
const mkfs: Readonly<Record<StackType, string>> = {
  ext4: `mkfs.ext4 -q -b 4096 -U ${filesystemUuid}`,
  btrfs: `mkfs.btrfs -q -U ${filesystemUuid}`,
  xfs: `mkfs.xfs -q -m uuid=${filesystemUuid}`,
};

/** Shell: makes the stack, and leaves it open and not mounted. */
export function makeStack(type: StackType): string {
  return [
    `lvcreate --quiet -y -W y -L ${startMiB[type]}M -n ${guest}-root vg0`,
    `printf geheim > ${key}`,
    `cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid ${uuid} --key-file=- ${root} < ${key}`,
    `cryptsetup open --type luks --key-file=- ${root} ${guest} < ${key}`,
    `${mkfs[type]} ${mapper} >/dev/null`,
    `mkdir -p ${at}`,
    `mount ${mapper} ${at}`,
    `head -c $(($(df --output=avail -B1 ${at} | tail -1) * 8 / 10)) /dev/urandom | split -b 1M - ${at}/part-`,
    `umount ${at}`,
  ].join(' && ');
}

/** Shell: takes it away, whatever of it there is. */
export const clearStack = `umount ${at} 2>/dev/null; cryptsetup close ${guest}; lvremove -q -y vg0/${guest}-root; rm -f ${key}; rmdir ${at}`;

const fsck: Readonly<Record<StackType, string>> = {
  ext4: `e2fsck -fn ${mapper} >/dev/null 2>&1`,
  btrfs: `btrfs check --readonly ${mapper} >/dev/null 2>&1`,
  xfs: `xfs_repair -n ${mapper} >/dev/null 2>&1`,
};
const blocks: Readonly<Record<StackType, string>> = {
  ext4: `dumpe2fs -h ${mapper} 2>/dev/null | grep -E '^(Block count|Filesystem state)'`,
  btrfs: `btrfs inspect-internal dump-super ${mapper} | grep ^total_bytes`,
  xfs: `xfs_db -r -c 'sb 0' -c 'p dblocks' ${mapper}`,
};

/**
 * Shell: prints one hash over every file with its name; fails when the filesystem is not sound. Nobody forges anything here, and
 * under emulation md5 takes a quarter of the time of sha256.
 */
export function treeHash(type: StackType): string {
  const readOnly = type === 'xfs' ? 'ro,norecovery' : 'ro';
  return `${fsck[type]} && mount -o ${readOnly} ${mapper} ${at} && (cd ${at} && find . -type f -print0 | sort -z | xargs -0 md5sum) | md5sum; umount ${at}`;
}

/** Shell: prints the size of each layer, from the volume up. */
export function sizes(type: StackType): string {
  return `blockdev --getsize64 ${root} ${mapper} && ${blocks[type]}`;
}

/** As it is typed; to a size in MiB of the logical volume. */
export function resizeCommand(mib: number): string {
  return `bofh --yes block resize ${root} ${mib}m --key file:${key}`;
}

/** MiB of the logical volume, relative to the start. */
export function resized(type: StackType, by: number): number {
  return startMiB[type] + by;
}

const grow = 32;
/** Four fifths of it are full: so much can be had back. */
const shrink: Readonly<Record<Exclude<StackType, 'xfs'>, number>> = { ext4: -8, btrfs: -16 };

const volume = `vg0/${guest}-root`;
/** What changes each layer, in the order of a growth. An xfs grows after the commit. */
const growers: Readonly<Record<StackType, readonly (ToolCall | Syscall)[]>> = {
  ext4: [
    { tool: 'lvextend', words: [volume] },
    { tool: 'cryptsetup', words: ['resize'] },
    { tool: 'resize2fs', words: [mapper, '!-P'] },
  ],
  btrfs: [
    { tool: 'lvextend', words: [volume] },
    { tool: 'cryptsetup', words: ['resize'] },
    { tool: 'btrfs', words: ['filesystem', 'resize'] },
  ],
  xfs: [
    { tool: 'lvextend', words: [volume] },
    { tool: 'cryptsetup', words: ['resize'] },
  ],
};

/** A stack that is resized, with a fault at each of its layers; each way, where the filesystem goes both. */
export const stackRows: readonly RigRow[] = [
  ...rows('ext4', grow),
  ...rows('ext4', shrink.ext4),
  ...rows('btrfs', grow),
  ...rows('btrfs', shrink.btrfs),
  ...rows('xfs', grow),
];

function rows(type: StackType, by: number): readonly RigRow[] {
  const acts = by > 0 ? growers[type] : growers[type].map(shrinking).toReversed();
  return acts.map((act) => {
    const specimen: RigSpecimen = {
      setUp: makeStack(type),
      command: resizeCommand(resized(type, by)),
      act,
      clear: clearStack,
      content: `${sizes(type)} && ${treeHash(type)}`,
    };
    const tool = 'tool' in act ? act.tool : act.act;
    return { kind: `LV, LUKS, ${type} by ${by > 0 ? '+' : ''}${by} MiB: ${tool}`, specimen };
  });
}

function shrinking(act: ToolCall | Syscall): ToolCall | Syscall {
  return 'tool' in act && act.tool === 'lvextend' ? { ...act, tool: 'lvreduce' } : act;
}
