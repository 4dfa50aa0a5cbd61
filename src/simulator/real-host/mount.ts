import { blkidTagged, type Tag } from '../../blockdevice/commands.ts';
import { unescapeOctal } from '../../blockdevice/mountinfo.ts';
import { linkOf } from '../../blockdevice/tag.ts';
import type { Command } from '../../command/index.ts';
import { deviceByNumber } from '../world/devices.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { ask, askDevice, realContent, realNode } from './ask.ts';
import { importDevice } from './import.ts';
import { resolve } from '../world/resolve.ts';
import { tagOrNone } from '../world/tags.ts';
import { mountedDevice } from '../tools/blockdevice/held.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Reads which devices of the real host have a tag. The model answers for devices that it has
 * written to.
 */
export async function knowTagged(overlay: Overlay, world: World, tag: Tag): Promise<void> {
  const key = `${tag.name}=${tag.value}`;
  const found = overlay.tagged.get(key) ?? (await overlay.real.run(blkidTagged(tag)));
  overlay.tagged.set(key, found);
  for (const { path } of found) await nameDevice(world, path);
}

/** Table of libmount: a mount with options that only libmount keeps adds to the existing text. */
export const userTable = '/run/mount/utab';

/** Prepares a command with the path of a device or of a mount. */
export async function prepareMounted<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const path = command.argv.at(-1) ?? '';
  const mount = world.mounts.findLast((each) => each.path === path);
  if (mount === undefined) return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
  if (mount.storage === undefined) await nameDevice(world, mount.source);
  const device = mountedDevice(world, mount);
  if (device !== undefined && realNode(overlay, world, device) === undefined) return undefined;
  if (command.access === 'read') return ask(overlay, command);
  if (device !== undefined) await importDevice(overlay, world, device);
  return undefined;
}

/**
 * Prepares a mount. A filesystem of the real host is not really mounted: its type is known, its
 * content is not.
 */
export async function prepareMount(overlay: Overlay, world: World, command: Command<unknown>): Promise<void> {
  const source = command.argv[command.argv.indexOf('--source') + 1] ?? '';
  const there = resolve(world, source, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  const node = device === undefined ? undefined : realNode(overlay, world, device);
  if (device === undefined || node === undefined) return;
  const found = await realContent(overlay, node);
  if (found?.usage === 'filesystem') await importDevice(overlay, world, device);
}

/** Makes the directories and devices known that a table names. */
export async function prepareTable(world: World, path: string): Promise<void> {
  await pageIn(world, path, 'content');
  const there = resolve(world, path, 'follow');
  if (!there.found) return;
  for (const line of new TextDecoder().decode(there.inode.content).split('\n')) {
    if (/^\s*#/.test(line)) continue;
    const words = line.split(/\s+/).map(unescapeOctal);
    for (const word of words) if (word.startsWith('/')) await nameDevice(world, word);
    const tag = tagOrNone(words.find((word) => word !== '') ?? '');
    if (tag === undefined) continue;
    if (world.udev === 'running' || tag.name === 'ID') await nameDevice(world, linkOf(tag));
    else if (world.overlay !== undefined) await knowTagged(world.overlay, world, tag);
  }
}
