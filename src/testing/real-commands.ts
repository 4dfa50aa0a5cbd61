import { blkidTagged, type Tag } from '../blockdevice/commands.ts';
import { unescapeOctal } from '../blockdevice/mountinfo.ts';
import { linkOf, tagIn } from '../blockdevice/tag.ts';
import type { Command } from '../command/index.ts';
import { bytesAt, recognise } from '../blockdevice/index.ts';
import { readArchive } from './archive.ts';
import { deviceByNumber } from './devices.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { ask, askDevice } from './real-ask.ts';
import { prepareBtrfs } from './real-btrfs.ts';
import { prepareCrypt } from './real-crypt.ts';
import { isPeerChanged } from './drbd-link.ts';
import { disksOf, hasChangedConfig, knowDrbd } from './real-drbd.ts';
import { loopsOf } from './real-facts.ts';
import { importAt, importDevice, importMagics, importTable } from './real-import.ts';
import { resolve } from './resolve.ts';
import { tagOrNone } from './tags.ts';
import { mountedDevice } from './tools/held.ts';
import { freeMemoryMiB } from './tools/xl-list.ts';
import type { Overlay, World } from './world.ts';

/**
 * Makes ready what a command needs of the real host. Gives a way to ask the real host itself, for a read about what
 * the model has not changed; undefined: the model answers.
 */
export async function prepareReal<T>(
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { overlay } = world;
  if (overlay === undefined) return undefined;
  const paths = command.argv.flatMap(
    (word) => /^(?:--[\w-]+=)?(?<path>\/.*)$/s.exec(word)?.groups?.path ?? [],
  );
  for (const path of paths) await nameDevice(world, path);
  switch (command.tool) {
    case 'blkid':
      if (command.argv.includes('-t')) {
        const tag = tagIn(command.argv.at(-1) ?? '');
        if (tag !== undefined) await knowTagged(overlay, world, tag);
        return undefined;
      }
      return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
    case 'btrfstune':
    case 'debugfs':
    case 'dumpe2fs':
    case 'e2fsck':
    case 'e2label':
    case 'fatlabel':
    case 'fsck.vfat':
    case 'od':
    case 'resize2fs':
    case 'swaplabel':
    case 'tune2fs':
    case 'xfs_db':
    case 'xfs_logprint':
    case 'xfs_repair':
      if (command.access !== 'read') await importAt(overlay, world, paths.at(0) ?? '');
      return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
    case 'sfdisk':
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importTable(overlay, world, command.argv.at(-1) ?? '');
      return undefined;
    case 'blkdiscard':
    case 'wipefs':
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importMagics(overlay, world, command.argv.at(-1) ?? '');
      return undefined;
    case 'btrfs':
      if (isOfSpace(command)) return ask(overlay, command);
      if (isOfSubvolumes(command)) {
        await prepareBtrfs(overlay, world, command);
        if (command.argv[0] === 'receive') await knowStream(overlay, world, command);
        return undefined;
      }
      return await prepareMounted(overlay, world, command);
    case 'stat':
    case 'xfs_growfs':
    case 'xfs_io':
      return await prepareMounted(overlay, world, command);
    case 'cryptsetup':
      return prepareCrypt(overlay, world, command);
    case 'dmsetup':
      // What is open, also in the plan alone, the model knows; other mappings it does not.
      return command.access !== 'read' || world.mappings.some(({ name }) => name === command.argv[1])
        ? undefined
        : ask(overlay, command);
    case 'drbdadm':
    case 'drbdsetup':
      // What the plan has not changed, and the configuration, the real host tells.
      if (command.access === 'read' && !(await isDrbdOfModel(overlay, world, command)))
        return ask(overlay, command);
      await knowDrbd(overlay, world);
      if (command.access === 'read') return undefined;
      for (const disk of disksOf(world, command.argv.at(-1))) {
        await nameDevice(world, disk);
        await importAt(overlay, world, disk);
      }
      return undefined;
    case 'dd':
      await importAt(overlay, world, /^of=(?<path>.*)$/.exec(command.argv[0] ?? '')?.groups?.path ?? '');
      return undefined;
    case 'drbdmeta':
      await knowDrbd(overlay, world);
      await importAt(overlay, world, paths[0] ?? '');
      return undefined;
    case 'ip':
      return ask(overlay, command);
    case 'losetup':
      await knowLoops(overlay, world);
      return undefined;
    case 'find':
      // Which processes there are, the model does not change.
      return command.argv[0] === '/proc' ? ask(overlay, command) : undefined;
    case 'lvm':
      // How lvm is set up no plan changes.
      if (command.argv[0] === 'config' || overlay.missing.has('lvm')) return ask(overlay, command);
      return undefined;
    case 'lvs':
    case 'vgs':
    case 'pvs':
      return overlay.missing.has('lvm') ? ask(overlay, command) : undefined;
    case 'tar':
      return prepareTar(overlay, world, command, paths[0] ?? '');
    case 'mount':
      await pageIn(world, userTable, 'content');
      await prepareMount(overlay, world, command);
      return undefined;
    case 'findmnt':
      await prepareTable(world, paths[0] ?? '');
      return undefined;
    case 'umount':
      await pageIn(world, userTable, 'content');
      return undefined;
    case 'xl':
      return prepareXl(overlay, world, command);
    default:
      return undefined;
  }
}

/** The configuration is the model's once the plan has changed a file of it, and the state once it has changed that. */
async function isDrbdOfModel(overlay: Overlay, world: World, { argv }: Command<unknown>): Promise<boolean> {
  return argv.at(-1) === 'dump-xml'
    ? await hasChangedConfig(overlay, world)
    : world.drbd.config !== undefined || isPeerChanged(world);
}

/** Which devices of the real host bear a tag; of those that the model has written it says so itself. */
async function knowTagged(overlay: Overlay, world: World, tag: Tag): Promise<void> {
  const key = `${tag.name}=${tag.value}`;
  const found = overlay.tagged.get(key) ?? (await overlay.real.run(blkidTagged(tag)));
  overlay.tagged.set(key, found);
  for (const { path } of found) await nameDevice(world, path);
}

/** What libmount has written so far: a mount with options for itself adds to it. */
const userTable = '/run/mount/utab';

/** Its loop devices, at the first word of one: from then on they are the model's to detach and to add to. */
async function knowLoops(overlay: Overlay, world: World): Promise<void> {
  if (overlay.loopsAreKnown) return;
  for (const loop of await loopsOf(overlay.real)) world.loops.set(loop.minor, loop);
  overlay.loopsAreKnown = true;
  world.revision += 1;
}

/** What the model does not change of a btrfs: its space, and what goes on in it. */
function isOfSpace({ argv: [group, verb] }: Command<unknown>): boolean {
  const isStatus = verb === 'status' && (group === 'scrub' || group === 'balance');
  return (group === 'filesystem' && verb === 'usage') || isStatus;
}

function isOfSubvolumes({ argv: [group, verb] }: Command<unknown>): boolean {
  const groups = [
    'device',
    'replace',
    'subvolume',
    'property',
    'send',
    'receive',
    'scrub',
    'balance',
    'quota',
    'qgroup',
  ];
  return groups.includes(group ?? '') || verb === 'rootid' || verb === 'sync';
}

/** The beginning of a stream in a file of the real host; what the model has written it knows. */
async function knowStream(overlay: Overlay, world: World, { argv }: Command<unknown>): Promise<void> {
  const path = argv[argv.indexOf('-f') + 1] ?? '';
  const there = resolve(world, path, 'follow');
  if (!argv.includes('-f') || !there.found || overlay.streams.has(path)) return;
  const device = deviceByNumber(world, there.inode.node);
  if (device === undefined ? there.inode.real === undefined : world.live.has(device.storage)) return;
  const count = Math.min(device?.size ?? there.inode.real?.size ?? 0, 512);
  const from = device === undefined ? path : `/dev/${device.name}`;
  const { buffer } = await overlay.real.run(bytesAt(from, { from: 0, count }));
  overlay.streams.set(path, new Uint8Array(buffer));
}

/** What is told and changed by the path of a device, or by that of a mount. */
async function prepareMounted<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const path = command.argv.at(-1) ?? '';
  const mount = world.mounts.findLast((each) => each.path === path);
  if (mount === undefined) return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
  if (mount.storage === undefined) await nameDevice(world, mount.source);
  const device = mountedDevice(world, mount);
  if (device !== undefined && world.live.has(device.storage)) return undefined;
  if (command.access === 'read') return ask(overlay, command);
  if (device !== undefined) await importDevice(overlay, world, device);
  return undefined;
}

async function prepareTar<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
  source: string,
): Promise<(() => Promise<T>) | undefined> {
  await pageIn(world, source, 'stat');
  const there = resolve(world, source, 'follow');
  if (!there.found || (there.inode.content !== undefined && readArchive(there.inode.content) !== undefined))
    return undefined;
  if (command.access === 'read') return ask(overlay, command);
  const argv = [
    '--list',
    '--verbose',
    '--block-number',
    '--numeric-owner',
    '--full-time',
    '--quoting-style=c',
    '--absolute-names',
    '--force-local',
    `--file=${source}`,
  ];
  const listing = overlay.listings.get(source) ?? (await overlay.real.run(textOf('tar', argv)));
  overlay.listings.set(source, listing);
  return undefined;
}

/** A filesystem of the real host is not really mounted: its type is known, what is in it is not. */
async function prepareMount(overlay: Overlay, world: World, command: Command<unknown>): Promise<void> {
  const source = command.argv[command.argv.indexOf('--source') + 1] ?? '';
  const there = resolve(world, source, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device === undefined || world.live.has(device.storage)) return;
  const found = await recognise(overlay.real, `/dev/${device.name}`);
  if (found?.usage === 'filesystem') await importDevice(overlay, world, device);
}

/** Places and devices that a table names. */
async function prepareTable(world: World, path: string): Promise<void> {
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

async function prepareXl<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  if (overlay.missing.has('xen')) return ask(overlay, command);
  if (command.argv.join(' ') === 'info') {
    const text = await overlay.real.run(textOf('xl', ['info']));
    const free = `free_memory            : ${freeMemoryMiB(world)}`;
    return async () =>
      command.parse({ exitCode: 0, stdout: text.replace(/^free_memory .*$/m, free), stderr: '' });
  }
  const config = command.argv.find((word) => word.startsWith('/'));
  if (config === undefined) return undefined;
  await pageIn(world, config, 'content');
  const there = resolve(world, config, 'follow');
  if (!there.found) return undefined;
  // The kernel and the disks that it names.
  const text = new TextDecoder().decode(there.inode.content);
  for (const path of text.match(/\/[^\s"',]+/g) ?? []) await nameDevice(world, path);
  return undefined;
}

function textOf(tool: Command<string>['tool'], argv: readonly string[]) {
  return { tool, argv, access: 'read', parse: ({ stdout }: { readonly stdout: string }) => stdout } as const;
}
