import { mountOver } from '../../world/btrfs.ts';
import { resolve } from '../../world/resolve.ts';
import { deviceDiscards } from '../../world/virtual.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { heldBy, mountedDevice } from '../blockdevice/held.ts';
import { usedOf } from './sizes.ts';

/** Discards unused blocks (util-linux 2.38). */
export const trimTools: Readonly<Record<string, ToolModel>> = { fstrim };

/** `fstrim --verbose PATH`: every time it trims all unused blocks, as an xfs does. */
function fstrim(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const { flags, words } = readOptions(call, { flags: ['--verbose'] });
  const [path = '', ...more] = words;
  if (!flags.has('--verbose') || more.length > 0) throw unmodelled(call, 'it prints the bytes of one path');
  const there = resolve(world, path, 'follow');
  if (!there.found) return failed(1, `fstrim: stat of ${path} failed: No such file or directory`);
  if (there.inode.kind !== 'directory') return failed(1, `fstrim: ${path}: not a directory`);
  const mount = mountOver(world, there.path);
  const device = mount === undefined ? undefined : mountedDevice(world, mount);
  if (device === undefined || !deviceDiscards(world, device))
    return failed(1, `fstrim: ${path}: the discard operation is not supported`);
  const held = heldBy(world, `/dev/${device.name}`, /^(?:ext[234]|xfs|btrfs|vfat)$/);
  if (held === undefined) throw unmodelled(call, 'it knows ext2/3/4, xfs, btrfs and vfat');
  const bytes = Math.max(0, held.blocks - usedOf(world, held)) * held.blockSize;
  return ok(`${path}: ${inWords(bytes)} (${bytes} bytes) trimmed\n`);
}

function inWords(bytes: number): string {
  const power = bytes === 0 ? 0 : Math.floor(Math.log2(bytes) / 10);
  const unit = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power] ?? 'EiB';
  return `${(bytes / 1024 ** power).toFixed(1).replace(/\.0$/, '')} ${unit}`;
}
