import { posix } from 'node:path';
import { chrootScript, scriptEnded } from '../../../copy/chroot.ts';
import { listTree } from '../../../copy/tree.ts';
import { listFiles, listUnmounted } from '../../../filesystem/commands/files.ts';
import {
  archive,
  listing as tarListing,
  membersOf,
  modeOf,
  readArchive,
  type TarMember,
} from '../../world/archive.ts';
import { deviceByNumber } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { type Found, resolve } from '../../world/resolve.ts';
import {
  addEntry,
  addInode,
  directory,
  file,
  type Inode,
  inodeOf,
  linksOf,
  plant,
  removeEntry,
  symlink,
  walk,
} from '../../world/tree.ts';
import { change, type World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { scanProcesses } from '../blockdevice/processes.ts';

/** tar, find and debugfs, as bofh uses them to fill and empty a new root and to list its files. */
export const fillTools: Readonly<Record<string, ToolModel>> = {
  ...{ tar, find, debugfs, unshare },
  mmdebstrap: () => ok('mmdebstrap 1.3.5\n'),
};

const giveUp = 'tar: Error is not recoverable: exiting now';

function tar(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: [
      '--list',
      '--extract',
      '--to-stdout',
      '--create',
      '--no-recursion',
      '--verbose',
      '--block-number',
      '--numeric-owner',
      '--full-time',
      '--absolute-names',
      '--force-local',
      '--same-owner',
      '--same-permissions',
      '--acls',
      '--xattrs',
      '--delay-directory-restore',
      '--restrict',
      '--one-file-system',
      '--sparse',
      '--anchored',
    ],
    values: [
      '--file',
      '--directory',
      '--quoting-style',
      '--xattrs-include',
      '--xattrs-exclude',
      '--warning',
      '--checkpoint',
      '--checkpoint-action',
      '--format',
      '--exclude',
    ],
  });
  const source = one(options, '--file');
  if (options.flags.has('--create') && source === '-')
    return saveTree(
      call,
      one(options, '--directory') ?? '',
      mountsOf(options.flags.has('--one-file-system')),
    );
  if (options.flags.has('--create') && source !== undefined)
    return save(call, { source, directory: one(options, '--directory') ?? '', names: options.words });
  const isList = options.flags.has('--list');
  const wanted = options.flags.has('--to-stdout') ? options.words[0] : undefined;
  const words = wanted === undefined ? 0 : 1;
  if (source === undefined || isList === options.flags.has('--extract') || options.words.length !== words)
    throw unmodelled(call, 'it lists or extracts one archive, or prints one file of it');
  if (source === '-') {
    const directory = one(options, '--directory') ?? '';
    const known = call.world.overlay?.listings.get('-');
    if (known !== undefined) call.world.overlay?.listings.set(directory, known);
    return extract(call, directory, readArchive(Buffer.from(call.stdin ?? ''))?.members ?? []);
  }
  const there = resolve(call.world, source, 'follow');
  if (!there.found) return failed(2, `tar: ${source}: Cannot open: No such file or directory\n${giveUp}`);
  const read = membersIn(call.world, there, source);
  if (read === undefined)
    return failed(
      2,
      'tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors',
    );
  if (isList && (!options.flags.has('--block-number') || one(options, '--quoting-style') !== 'c'))
    throw unmodelled(call, 'it lists with block numbers and C quoting');
  if (wanted !== undefined) return text(read.members, wanted);
  return isList
    ? ok(tarListing(read.members, read.end))
    : extract(call, one(options, '--directory') ?? '', read.members);
}

function text(members: readonly TarMember[], name: string): ReturnType<ToolModel> {
  const found = members.find(({ path }) => path === name);
  if (found !== undefined) return ok(found.content ?? '');
  return failed(
    2,
    `tar: ${name}: Not found in archive\ntar: Exiting with failure status due to previous errors`,
  );
}

/** Saves regular files and links; of a directory, only the directory itself. */
function save(
  { world }: ToolCall,
  of: { readonly source: string; readonly directory: string; readonly names: readonly string[] },
): ReturnType<ToolModel> {
  const members: TarMember[] = [];
  for (const path of of.names) {
    const there = resolve(world, posix.join(of.directory, path), 'keep');
    if (!there.found) return failed(2, `tar: ${path}: Cannot stat: No such file or directory\n${giveUp}`);
    const { kind, mode, content, target } = there.inode;
    if (kind === 'symlink') members.push({ path, type: 'symlink', target: target ?? '' });
    else members.push({ path, mode, content: Buffer.from(content ?? []).toString('utf8') });
  }
  const parent = parentOf(world, of.source);
  const name = posix.basename(of.source);
  if (inodeOf(parent.tree, parent.ino).entries?.has(name) === true)
    removeEntry(parent.tree, parent.ino, name);
  addInode(parent.tree, parent.ino, name, file(archive(members), 0o600));
  return ok();
}

/**
 * Saves a whole directory without `lost+found`. In a plan: a directory of the real host, without
 * the content of its files.
 */
function saveTree({ world }: ToolCall, path: string, mounts: 'included' | undefined): ReturnType<ToolModel> {
  const known = world.overlay?.listings.get(path);
  if (world.overlay !== undefined && known !== undefined) {
    world.overlay.listings.set('-', known);
    const found = listTree(path).parse({ ...ok(), stdout: known });
    const kind = { d: 'directory', l: 'symlink' } as const;
    return ok(
      archive(
        found.map((each) => ({
          path: `./${Buffer.from(each.path, 'latin1').toString()}`,
          type: each.type === 'd' || each.type === 'l' ? kind[each.type] : 'file',
        })),
      ),
    );
  }
  const top = resolve(world, path, 'follow');
  if (!top.found) return failed(2, `tar: ${path}: Cannot open: No such file or directory\n${giveUp}`);
  const first = new Map<Inode, string>();
  const members = below(world, top, mounts).flatMap(({ path: name, inode }): TarMember[] => {
    const { kind, mode, uid, gid, content, target } = inode;
    const of = { path: `./${name}`, mode, owner: [uid, gid] as const };
    const known = first.get(inode);
    first.set(inode, of.path);
    if (of.path.split('/')[1] === 'lost+found') return [];
    if (kind === 'directory') return [{ ...of, type: 'directory' }];
    if (known !== undefined) return [{ ...of, type: 'hardlink', target: known }];
    if (kind === 'symlink') return [{ ...of, type: 'symlink', target: target ?? '' }];
    return [{ ...of, content: Buffer.from(content ?? []).toString('utf8') }];
  });
  return ok(archive(members));
}

const mountsOf = (oneFileSystem: boolean) => (oneFileSystem ? undefined : ('included' as const));

/** Returns the files below a directory, also those of the filesystems that are mounted there if they are included. */
function below(
  world: World,
  top: Pick<Found, 'tree' | 'ino' | 'path'>,
  mounts: 'included' | undefined,
  storage = 0,
): readonly (Pick<Found, 'tree' | 'ino' | 'inode'> & { readonly path: string; readonly storage: number })[] {
  const names = [...(inodeOf(top.tree, top.ino).entries ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const inside = names.map(([name, ino]) => ({ name, ino }));
  return inside.flatMap(({ name, ino }) => {
    const path = posix.join(top.path, name);
    const mounted = mounts === undefined ? -1 : world.mounts.findLastIndex((each) => each.path === path);
    const shown = mounted < 0 ? undefined : resolve(world, path, 'follow');
    const at = shown?.found === true ? { ...shown, path } : { tree: top.tree, ino, path };
    const number = mounted < 0 ? storage : mounted + 1;
    const own = { ...at, inode: inodeOf(at.tree, at.ino), path: name, storage: number };
    const deeper = below(world, at, mounts, number);
    return [own, ...deeper.map((each) => ({ ...each, path: posix.join(name, each.path) }))];
  });
}

function membersIn(world: World, { inode }: Found, source: string): ReturnType<typeof readArchive> {
  const known = world.overlay?.listings.get(source);
  if (known !== undefined) return { members: membersOf(known), end: 'whole' };
  return readArchive(inode.content ?? new Uint8Array());
}

function extract(call: ToolCall, path: string, members: readonly TarMember[]): ReturnType<ToolModel> {
  const { world } = call;
  const top = resolve(world, path, 'follow');
  if (!top.found || top.inode.kind !== 'directory')
    return failed(2, `tar: ${path}: Cannot open: No such file or directory\n${giveUp}`);
  let room = roomOn(world, top.storage);
  for (const member of members) {
    room -= Buffer.byteLength(member.content ?? '');
    if (room < 0)
      return failed(
        2,
        `tar: ${member.path}: Cannot write: No space left on device\ntar: Exiting with failure status due to previous errors`,
      );
    place(world, posix.join(path, member.path.replace(/^\/+/, '')), member, path);
  }
  return ok(members.length === 0 ? '' : `tar: ${members.length}\n`);
}

function roomOn(world: World, storage: string): number {
  const mount = world.mounts.find((each) => each.storage === storage);
  return deviceByNumber(world, mount?.device)?.size ?? Number.POSITIVE_INFINITY;
}

function place(world: World, path: string, member: TarMember, top: string): void {
  const parent = parentOf(world, path);
  const name = posix.basename(path);
  const known = inodeOf(parent.tree, parent.ino).entries?.get(name);
  const [uid = 0, gid = 0] = member.owner ?? [];
  if (member.type === 'directory') {
    if (known === undefined && path !== top)
      addInode(parent.tree, parent.ino, name, { ...directory(modeOf(member)), uid, gid });
    return;
  }
  if (known !== undefined) removeEntry(parent.tree, parent.ino, name);
  if (member.type === 'hardlink') {
    const target = resolve(world, posix.join(top, member.target ?? ''), 'keep');
    if (target.found) addEntry(parent.tree, parent.ino, name, target.ino);
  } else if (member.type === 'symlink')
    addInode(parent.tree, parent.ino, name, { ...symlink(member.target ?? ''), uid, gid });
  else
    addInode(parent.tree, parent.ino, name, {
      ...file(member.content ?? '', modeOf(member)),
      ...{ uid, gid },
    });
}

/** Returns the directory of a path; tar creates missing ones. */
function parentOf(world: World, path: string): Found {
  const above = posix.dirname(path);
  const there = resolve(world, above, 'follow');
  if (there.found) return there;
  const parent = parentOf(world, above);
  addInode(parent.tree, parent.ino, posix.basename(above), directory());
  return parentOf(world, path);
}

/**
 * `find PATH -xdev -mindepth 1 [! -path KEPT ! -path KEPT/*] -delete`, or with `-printf` as called
 * by `listFiles`.
 */
function find(call: ToolCall): ReturnType<ToolModel> {
  // All processes of the model belong to root.
  if (call.argv[0] === '/proc' && call.argv.includes('-uid')) return ok();
  if (call.argv[0] === '/proc') return scanProcesses(call);
  const [path = '', ...rest] = call.argv;
  const mounts = mountsOf(rest[0] === '-xdev');
  if (call.argv.join('\0') === listTree(path, mounts).argv.join('\0')) return listOfTree(call, path, mounts);
  if (rest[3] === '-printf') return list(call, path);
  const kept = `${path}/lost+found`;
  const but = ['!', '-path', kept, '!', '-path', `${kept}/*`];
  const isAll = rest.join('\0') === ['-xdev', '-mindepth', '1', '-delete'].join('\0');
  if (!isAll && rest.join('\0') !== ['-xdev', '-mindepth', '1', ...but, '-delete'].join('\0'))
    throw unmodelled(call, 'it empties a directory, or a filesystem except lost+found');
  const top = resolve(call.world, path, 'follow');
  if (!top.found) return failed(1, `find: '${path}': No such file or directory`);
  for (const [name] of [...(top.inode.entries ?? [])]) {
    if (name === 'lost+found' && !isAll) continue;
    const inside = `${top.path}/${name}`;
    if (call.world.mounts.some((mount) => mount.path === inside || mount.path.startsWith(`${inside}/`)))
      return failed(1, `find: cannot delete '${inside}': Device or resource busy`);
    removeAll(top, top.ino, name);
  }
  return ok();
}

function list(call: ToolCall, path: string): ReturnType<ToolModel> {
  const command = listFiles(path);
  if (command.argv.join('\0') !== call.argv.join('\0')) throw unmodelled(call, 'it lists only in one form');
  const top = resolve(call.world, path, 'follow');
  return top.found ? ok(listing(top)) : failed(1, `find: '${path}': No such file or directory`);
}

/** Returns the output for `listTree`; every modification time is 0. */
function listOfTree(
  { world }: ToolCall,
  path: string,
  mounts: 'included' | undefined,
): ReturnType<ToolModel> {
  const known = world.overlay?.listings.get(path);
  if (known !== undefined) return { ...ok(known), isLatin1: true };
  const top = resolve(world, path, 'follow');
  if (!top.found) return failed(1, `find: '${path}': No such file or directory`);
  const lines = below(world, top, mounts).map(({ path: name, tree, ino, inode, storage }) => {
    const { kind, mode, uid, gid, content, length, target = '' } = inode;
    const size = length ?? content?.length ?? target.length;
    const letter = kind === 'directory' ? 'd' : kind === 'symlink' ? 'l' : 'f';
    const blocks = Math.ceil(size / 512);
    const numbers = [mode.toString(8), uid, gid, linksOf(tree, ino), size, blocks, storage, ino];
    return `${letter} ${numbers.join(' ')} 0.0 ${changedAt(inode)} ${name}\0${target}\0`;
  });
  return ok(lines.join(''));
}

/** `unshare --mount` with `mmdebstrap`, or with the script of `listUnmounted` or `chrootScript`. */
function unshare(call: ToolCall): ReturnType<ToolModel> {
  if (call.argv.includes('--pid')) return inChroot(call);
  const [, env, directory = '', , , , tool, ...argv] = call.argv;
  if (env === 'env' && tool === 'mmdebstrap')
    return install({ ...call, argv }, directory.replace(/^TMPDIR=/, ''));
  const [type = '', path = ''] = call.argv.slice(5);
  if (listUnmounted(path, type).argv.join('\0') !== call.argv.join('\0'))
    throw unmodelled(call, 'it lists the files of a device that is not mounted');
  const device = deviceAt(call.world, path);
  const content = device === undefined ? undefined : call.world.live.get(device.storage);
  // The content of a real disk cannot be read without a mount.
  if (call.world.overlay !== undefined) return ok();
  if (content?.tree === undefined || content.superblock?.type !== type)
    return failed(32, `mount: /run: wrong fs type, bad option, bad superblock on ${path}.`);
  return ok(listing({ tree: content.tree, ino: content.tree.root }));
}

/**
 * Runs a script in a new root. The model knows three kinds of lines: `echo WORDS >PATH`, which writes
 * below the root, `echo WORDS` and `exit NUMBER`. In a description it reads these lines from comments.
 */
function inChroot(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const words = call.argv.slice(8);
  const count = Number(words[0]);
  const mounts = Array.from({ length: count }, (_, at) => {
    const [target = '', type = '', options = '', device = ''] = words.slice(1 + 4 * at);
    const [mode = '', ...more] = options.split(',');
    return {
      target: target || '/',
      type,
      mode: mode === 'ro' ? ('ro' as const) : ('rw' as const),
      options: more,
      device,
    };
  });
  const [script = '', ...rest] = words.slice(1 + 4 * count);
  const [node = '', program = ''] = rest;
  const applyWith = node.startsWith('/') ? { node, program } : undefined;
  const variables = applyWith === undefined ? rest : rest.slice(2);
  const environment = Object.fromEntries(
    variables.map((each) => [each.replace(/=.*/s, ''), each.replace(/^[^=]*=/, '')] as const),
  );
  if (chrootScript({ mounts, script, applyWith, environment }).argv.join('\0') !== call.argv.join('\0'))
    throw unmodelled(call, 'it runs a script in a new root');
  if (world.overlay !== undefined) return ok(`${scriptEnded}\n`);
  const trees = mounts.map(({ target, type, device }) => {
    const at = deviceAt(world, device);
    const content = at === undefined ? undefined : world.live.get(at.storage);
    return { target, tree: content?.superblock?.type === type ? content.tree : undefined };
  });
  const text = resolve(world, script, 'follow');
  if (!text.found || trees.some(({ tree }) => tree === undefined)) return failed(125, 'bofh: cannot mount');
  // The mount itself writes to the superblock.
  for (const { device } of mounts) change(world, deviceAt(world, device)?.storage ?? '');
  let stdout = '';
  for (const line of Buffer.from(text.inode.content ?? [])
    .toString()
    .split('\n')) {
    const [, said = '', path] = /^(?:\/\/ )?echo (.*?)(?: >(\/\S+))?$/.exec(line) ?? [];
    const code = /^(?:\/\/ )?exit (\d+)$/.exec(line)?.[1];
    if (code !== undefined) return { exitCode: Number(code), stdout, stderr: '' };
    if (path === undefined) stdout += said === '' ? '' : `${said}\n`;
    const on = trees.findLast(({ target }) => path?.startsWith(target === '/' ? '/' : `${target}/`));
    if (path !== undefined && on?.tree !== undefined)
      plant(on.tree, path.slice(on.target === '/' ? 0 : on.target.length), file(`${said}\n`));
  }
  return ok(`${stdout}${scriptEnded}\n`);
}

/** The members of a small Debian that GRUB can boot and that accepts an SSH key. */
const installed: readonly TarMember[] = [
  ...['./', './boot/', './etc/', './etc/network/', './etc/ssh/', './root/', './usr/sbin/', './var/'].map(
    (path) => ({
      path,
    }),
  ),
  { path: './etc/hostname', content: 'host\n' },
  { path: './etc/machine-id', content: 'uninitialized\n' },
  { path: './etc/ssh/ssh_host_ed25519_key', content: 'key\n', mode: 0o600 },
  { path: './usr/sbin/sshd', content: 'program', mode: 0o755 },
  { path: './usr/sbin/ifup', content: 'program', mode: 0o755 },
  { path: './boot/vmlinuz-6.1.0-32-amd64', content: 'kernel' },
  { path: './boot/initrd.img-6.1.0-32-amd64', content: 'ramdisk' },
  { path: './vmlinuz', type: 'symlink', target: 'boot/vmlinuz-6.1.0-32-amd64' },
  { path: './initrd.img', type: 'symlink', target: 'boot/initrd.img-6.1.0-32-amd64' },
];

/**
 * `mmdebstrap` 1.3.5 into an existing file. Removes what it unpacks into its temporary directory.
 */
function install(call: ToolCall, directory: string): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { values: ['--format', '--architectures', '--include', '--keyring'] });
  const [suite = '', path = '', mirror = 'http://deb.debian.org/debian', ...more] = options.words;
  const there = resolve(world, path, 'follow');
  const work = resolve(world, directory, 'follow');
  if (one(options, '--format') !== 'tar' || more.length > 0 || !there.found || !work.found)
    throw unmodelled(call, 'it writes into an existing tar archive, and unpacks into an existing directory');
  if (!knownSuites.has(suite))
    return failed(
      25,
      [
        'I: running apt-get update...',
        `Err:1 ${mirror} ${suite} Release`,
        '  404  Not Found [IP: 192.0.2.80 80]',
        `E: The repository '${mirror} ${suite} Release' does not have a Release file.`,
        'E: apt-get update --error-on=any -oAPT::Status-Fd=<$fd> -oDpkg::Use-Pty=false failed',
        'E: mmdebstrap failed to run',
      ].join('\n'),
    );
  there.tree.inodes.set(there.ino, {
    ...there.inode,
    content: new TextEncoder().encode(archive(installed)),
  });
  return ok('', 'I: running apt-get update...\nI: creating tarball...\nI: success in 60.0000 seconds\n');
}

const knownSuites = new Set(['bookworm', 'trixie']);

function listing({ tree, ino }: Pick<Found, 'tree' | 'ino'>): string {
  return [...walk(tree, ino)]
    .map(([path, child]) => {
      const inode = inodeOf(tree, child);
      const { kind, content, length, target } = inode;
      const size = length ?? content?.length ?? target?.length ?? 0;
      const letter = kind === 'directory' ? 'd' : kind === 'symlink' ? 'l' : 'f';
      return `${letter} ${String(size)} ${changedAt(inode)} ${path.slice(1)}\0`;
    })
    .join('');
}

const times = new WeakMap<Inode, number>();
let changes = 0;

/**
 * Returns the time of the last change of an inode, in seconds. A change replaces the inode object,
 * and each new one gets a later time when it is first listed.
 */
function changedAt(inode: Inode): string {
  const known = times.get(inode) ?? (changes += 1);
  times.set(inode, known);
  return `${String(1_700_000_000 + known)}.0000000000`;
}

function removeAll({ tree }: Found, parent: number, name: string): void {
  const ino = inodeOf(tree, parent).entries?.get(name);
  if (ino === undefined) return;
  for (const child of inodeOf(tree, ino).entries?.keys() ?? []) removeAll({ tree } as Found, ino, child);
  removeEntry(tree, parent, name);
}

const features =
  'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum';

/** debugfs, which exits with 0 even if it fails (e2fsprogs 1.47). */
function debugfs(call: ToolCall): ReturnType<ToolModel> {
  const catastrophic = call.argv[0] === '-c';
  const [flag, request, path = '', ...more] = catastrophic ? call.argv.slice(1) : call.argv;
  if (flag !== '-R' || more.length > 0) throw unmodelled(call, 'it takes one request and one device');
  const banner = 'debugfs 1.47.0 (5-Feb-2023)\n';
  const device = deviceAt(call.world, path);
  const content = device === undefined ? undefined : call.world.live.get(device.storage);
  if (content?.tree === undefined || content.superblock?.type.startsWith('ext') !== true)
    return ok('', `${banner}debugfs: Bad magic number in super-block while trying to open ${path}\n`);
  if (content.needsRecovery === true && !catastrophic)
    return ok(
      '',
      `${banner}${path}: Block bitmap checksum does not match bitmap while reading allocation bitmaps\n`,
    );
  if (request === 'quit') return ok('', banner);
  if (request === 'features') {
    const shown =
      content.needsRecovery === true ? features.replace('filetype', 'filetype needs_recovery') : features;
    return ok(`Filesystem features: ${shown}\n`, banner);
  }
  const [, verb = '', place = ''] = /^(ls -p|cat) (\/.*)$/.exec(request ?? '') ?? [];
  if (verb === '') throw unmodelled(call, `the model does not know the request "${request ?? ''}"`);
  const { tree } = content;
  const ino = within(tree, place);
  if (ino === undefined) return ok('', `${banner}${place}: File not found by ext2_lookup \n`);
  const root = inodeOf(tree, ino);
  if (verb === 'cat')
    return { ...ok(Buffer.from(root.content ?? []).toString('latin1'), banner), isLatin1: true };
  if (root.kind !== 'directory') return ok('\n', `${banner}-p: Ext2 inode is not a directory \n`);
  const line = (name: string, ino: number): string => {
    const { kind, mode, uid, gid, content: bytes, target } = inodeOf(tree, ino);
    const type = kind === 'directory' ? '040' : kind === 'symlink' ? '120' : '100';
    const size = kind === 'directory' ? '' : String(bytes?.length ?? target?.length ?? 0);
    return `/${ino}/${type}${mode.toString(8).padStart(3, '0')}/${uid}/${gid}/${name}/${size}/\n`;
  };
  const entries = [...(root.entries ?? [])].map(([name, ino]) => line(name, ino));
  return ok([line('.', ino), line('..', tree.root), ...entries, '\n'].join(''), banner);
}

/** Returns the inode of a path; does not follow a symbolic link at its end. */
function within(tree: Found['tree'], path: string): number | undefined {
  let at: number | undefined = tree.root;
  for (const part of path.split('/').filter((each) => each !== ''))
    at = at === undefined ? undefined : inodeOf(tree, at).entries?.get(part);
  return at;
}
