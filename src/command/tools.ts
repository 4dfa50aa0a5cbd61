/** Every program that bofh may start, with the Debian package to name when it is missing. */
export const tools = {
  blkid: { package: 'util-linux' },
  btrfs: { package: 'btrfs-progs' },
  debugfs: { package: 'e2fsprogs' },
  dmsetup: { package: 'dmsetup' },
  drbdsetup: { package: 'drbd-utils' },
  dumpe2fs: { package: 'e2fsprogs' },
  e2fsck: { package: 'e2fsprogs' },
  find: { package: 'findutils' },
  'fsck.vfat': { package: 'dosfstools' },
  logger: { package: 'bsdutils' },
  losetup: { package: 'mount' },
  lvchange: { package: 'lvm2' },
  lvcreate: { package: 'lvm2' },
  lvm: { package: 'lvm2' },
  lvremove: { package: 'lvm2' },
  lvrename: { package: 'lvm2' },
  lvs: { package: 'lvm2' },
  'mkfs.ext4': { package: 'e2fsprogs' },
  mkswap: { package: 'util-linux' },
  mount: { package: 'mount' },
  od: { package: 'coreutils' },
  mv: { package: 'coreutils' },
  pvs: { package: 'lvm2' },
  resize2fs: { package: 'e2fsprogs' },
  stat: { package: 'coreutils' },
  sync: { package: 'coreutils' },
  tar: { package: 'tar' },
  udevadm: { package: 'udev' },
  umount: { package: 'mount' },
  vgs: { package: 'lvm2' },
  wipefs: { package: 'util-linux' },
  xfs_db: { package: 'xfsprogs' },
  xfs_growfs: { package: 'xfsprogs' },
  xl: { package: 'xen-utils-common' },
} as const satisfies Record<string, { readonly package: string }>;

export type Tool = keyof typeof tools;

/** Where programs are looked for, in this order. Never PATH: a wrapper earlier in it must change nothing. */
export const toolDirectories = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;
