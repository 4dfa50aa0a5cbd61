import { loadedModules } from '../../kernel/module.ts';
import { tagIn } from '../../blockdevice/tag.ts';
import type { Command } from '../../command/index.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { prepareAgent, prepareChannel } from './agent.ts';
import { prepareAccounts } from './accounts.ts';
import { ask, askDevice } from './ask.ts';
import { isOfSpace, isOfSubvolumes, knowStream, prepareBtrfs } from './btrfs.ts';
import { prepareCrypt } from './crypt.ts';
import { disksOf, isDrbdOfModel, knowDrbd } from './drbd.ts';
import { loopsOf } from './facts.ts';
import { isUnread } from '../tools/blockdevice/compressed.ts';
import { importAt, importCopied, importMagics, importOrigin, importTable } from './import.ts';
import { knowTagged, prepareMount, prepareMounted, prepareTable, userTable } from './mount.ts';
import { preparePackages } from './packages.ts';
import { resolve } from '../world/resolve.ts';
import { xattrsFrom } from '../world/xattr.ts';
import { scriptIn } from '../tools/shell/sh.ts';
import { prepareSystemctl } from './systemd.ts';
import { prepareTar, prepareTree } from './tar.ts';
import { UnknownInPlan } from './unknown.ts';
import { prepareXl } from './xl.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Reads what a command needs from the real host. Returns a function that asks the real host itself,
 * for a read about something that the model has not changed; undefined: the model answers.
 */
export async function prepareReal<T>(
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { overlay } = world;
  if (overlay === undefined) return undefined;
  const paths = command.argv.flatMap(
    (word) => /^(?:--[\w-]+=|if=)?(?<path>\/.*)$/s.exec(word)?.groups?.path ?? [],
  );
  for (const path of paths) await nameDevice(world, path);
  // The plan may have changed some of them, and only the real host knows the others.
  if (paths.length > 1 && command.access === 'read' && ['blkid', 'perl', 'wipefs'].includes(command.tool))
    throw new UnknownInPlan(`cannot ask ${command.tool} about several devices at once`);
  switch (command.tool) {
    case 'apt-cache':
    case 'apt-get':
    case 'apt-mark':
    case 'cat':
    case 'dpkg':
    case 'dpkg-deb':
    case 'dpkg-query':
    case 'env':
      return await preparePackages(overlay, world, command);
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
    case 'sha256sum':
      return command.access === 'read' && isUnread(world, paths[0] ?? '') ? ask(overlay, command) : undefined;
    case 'fstrim':
    case 'stat':
    case 'xfs_growfs':
    case 'xfs_io':
      return await prepareMounted(overlay, world, command);
    case 'cryptsetup':
      return prepareCrypt(overlay, world, command);
    case 'dmsetup':
      // The model knows every open LUKS device, including those of the plan, but no other mappings.
      return command.access !== 'read' || world.mappings.some(({ name }) => name === command.argv[1])
        ? undefined
        : ask(overlay, command);
    case 'drbdadm':
    case 'drbdsetup':
      // The real host answers about resources and configuration that the plan has not changed.
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
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importAt(overlay, world, /^of=(?<path>.*)$/.exec(command.argv[0] ?? '')?.groups?.path ?? '');
      return undefined;
    case 'qemu-io':
    case 'qemu-img':
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importCopied(overlay, world, {
        path: command.argv.at(-2) ?? '',
        format: command.argv[command.argv.indexOf('-f') + 1],
      });
      await importAt(overlay, world, command.argv.at(-1) ?? '');
      return undefined;
    case 'drbdmeta':
      await knowDrbd(overlay, world);
      await importAt(overlay, world, paths[0] ?? '');
      return undefined;
    case 'getfacl':
    case 'ls': {
      const there = resolve(world, paths[0] ?? '', 'keep');
      const { real, realPath, acl } = there.found ? there.inode : {};
      if (there.found && (real === undefined || acl !== undefined)) return undefined;
      return ask(overlay, command, [...command.argv.slice(0, -1), realPath ?? paths[0] ?? '']);
    }
    case 'getfattr': {
      const [path = ''] = paths;
      const there = resolve(world, path, 'keep');
      if (!there.found) return ask(overlay, command);
      const name = command.argv.find((word) => word.startsWith('--name='))?.slice('--name='.length) ?? '';
      const from = there.inode.xattrs?.known.has(name) === true ? undefined : xattrsFrom(there.inode, path);
      return from === undefined ? undefined : ask(overlay, command, [...command.argv.slice(0, -1), from]);
    }
    case 'ip':
    case 'lsattr':
    case 'visudo':
      return ask(overlay, command);
    case 'modprobe':
      if (command.access === 'read') return ask(overlay, command);
      if (world.modules.size === 0)
        for (const [name, { uses, users }] of await loadedModules(overlay.real))
          world.modules.set(name, { opens: uses - users.length });
      return undefined;
    case 'losetup':
      await knowLoops(overlay, world);
      return undefined;
    case 'find':
      // The model does not change the list of processes.
      if (command.argv[0] === '/proc') return ask(overlay, command);
      await prepareTree(overlay, world, command);
      return undefined;
    case 'lvm':
      // No plan changes the configuration of lvm.
      if (command.argv[0] === 'config' || overlay.missing.has('lvm')) return ask(overlay, command);
      return undefined;
    case 'lvcreate':
      if (command.argv.includes('--snapshot')) await importOrigin(overlay, world, command.argv);
      return undefined;
    case 'lvs':
    case 'vgs':
    case 'pvs':
      return overlay.missing.has('lvm') ? ask(overlay, command) : undefined;
    case 'sh':
      // The real host answers for a script that the plan has not run.
      return command.access === 'read' && !world.scripts.has(scriptIn(command.argv)?.name ?? '')
        ? ask(overlay, command)
        : undefined;
    case 'sleep':
      return undefined;
    case 'systemctl':
      return prepareSystemctl(overlay, world, command);
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
    case 'chage':
    case 'chpasswd':
    case 'getent':
    case 'gpasswd':
    case 'groupadd':
    case 'groupdel':
    case 'setpriv':
    case 'useradd':
    case 'userdel':
    case 'usermod':
      return prepareAccounts(overlay, world, command);
    case 'perl':
      return command.argv[0] === '-' ? prepareAgent(overlay, world, command) : undefined;
    case 'xenstore-ls':
      return prepareChannel(overlay, world, command);
    case 'xl':
      return prepareXl(overlay, world, command);
    default:
      return undefined;
  }
}

/**
 * Reads the loop devices at the first command that needs one: from then on the model detaches and
 * adds loop devices.
 */
async function knowLoops(overlay: Overlay, world: World): Promise<void> {
  if (overlay.loopsAreKnown) return;
  overlay.loops = await loopsOf(overlay.real);
  for (const loop of overlay.loops) {
    world.loops.set(loop.minor, loop);
    world.loopNodes.add(loop.minor);
  }
  overlay.loopsAreKnown = true;
  world.revision += 1;
}
