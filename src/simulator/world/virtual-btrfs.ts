import { devices } from './devices.ts';
import { file, type Inode, symlink } from './tree.ts';
import type { World } from './world.ts';

/** Returns the files of /sys for every mounted btrfs: its devices, and its running operation. */
export function* btrfsDevices(world: World): Generator<readonly [string, Inode]> {
  for (const { type, storage, device } of world.mounts) {
    if (type !== 'btrfs') continue;
    const content = storage === undefined ? undefined : world.live.get(storage);
    const state = storage === undefined ? world.overlay?.btrfs.get(device) : content?.btrfs;
    const home = `/fs/btrfs/${content?.superblock?.uuid ?? state?.fs ?? ''}`;
    const members = state?.members?.map((each) => each.storage) ?? (storage === undefined ? [] : [storage]);
    for (const { name } of devices(world).filter((each) => members.includes(each.storage)))
      yield [`${home}/devices/${name}`, symlink(`../../../../block/${name}`)];
    if (storage === undefined) continue;
    const goesOn = { none: 'none', running: 'balance', paused: 'balance paused' }[state?.balance ?? 'none'];
    yield [`${home}/exclusive_operation`, file(`${goesOn}\n`, 0o444)];
  }
}
