import * as files from '../../world/files.ts';
import { posix } from 'node:path';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, type Inode } from '../../world/tree.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolModel, type ToolCall } from '../answer.ts';
import { present } from '../../../core/present.ts';

/**
 * useradd and similar programs (shadow 4.13), on the tables in /etc. The model does not write their
 * backups, such as /etc/passwd-, and does not change subuid and subgid.
 */
export const accountTools: Readonly<Record<string, ToolModel>> = {
  groupadd: (call) => {
    const { world } = call;
    const options = readOptions(call, { flags: ['--system', '--'], values: ['--gid'] });
    const [name = '', gid = ''] = [options.words[0], one(options, '--gid')];
    if (lineOf(world, 'group', name) !== undefined)
      return failed(9, `groupadd: group '${name}' already exists`);
    if (rows(world, 'group').some((row) => row[2] === gid))
      return failed(4, `groupadd: GID '${gid}' already exists`);
    write(world, 'group', [...rows(world, 'group'), [name, 'x', gid, '']]);
    write(world, 'gshadow', [...rows(world, 'gshadow'), [name, '!', '', '']]);
    return ok();
  },
  groupdel: (call) => {
    const { world } = call;
    const [name = ''] = readOptions(call, { flags: ['--'] }).words;
    const line = lineOf(world, 'group', name);
    if (line === undefined) return failed(6, `groupdel: group '${name}' does not exist`);
    const user = rows(world, 'passwd').find((row) => row[3] === line[2])?.[0];
    if (user !== undefined) return failed(8, `groupdel: cannot remove the primary group of user '${user}'`);
    for (const table of ['group', 'gshadow'] as const)
      write(
        world,
        table,
        rows(world, table).filter((row) => row[0] !== name),
      );
    return ok();
  },
  gpasswd: (call) => {
    const { world } = call;
    const options = readOptions(call, { flags: ['--'], values: ['--add', '--delete'] });
    const [group = ''] = options.words;
    const [added, deleted] = [one(options, '--add'), one(options, '--delete')];
    const user = added ?? deleted ?? '';
    if (lineOf(world, 'group', group) === undefined)
      return failed(3, `gpasswd: group '${group}' does not exist in /etc/group`);
    if (lineOf(world, 'passwd', user) === undefined)
      return failed(3, `gpasswd: user '${user}' does not exist`);
    const says = added === undefined ? `Removing user ${user} from group` : `Adding user ${user} to group`;
    if (deleted !== undefined && !membersOf(lineOf(world, 'group', group)).includes(user))
      return failed(3, `gpasswd: user '${user}' is not a member of '${group}'`, `${says} ${group}\n`);
    for (const table of ['group', 'gshadow'] as const)
      write(
        world,
        table,
        rows(world, table).map((row) => {
          if (row[0] !== group) return row;
          const others = membersOf(row).filter((each) => each !== user);
          return [...row.slice(0, 3), (added === undefined ? others : [...others, user]).join(',')];
        }),
      );
    return ok(`${says} ${group}\n`);
  },
  useradd: (call) => {
    const { world } = call;
    const options = readOptions(call, {
      flags: ['--system', '--create-home', '--no-create-home', '--'],
      values: ['--uid', '--gid', '--home-dir', '--shell', '--comment'],
    });
    const [name = ''] = options.words;
    const value = (key: string): string => one(options, key) ?? '';
    const [uid, gid, home] = [value('--uid'), value('--gid'), value('--home-dir')];
    if (!rows(world, 'group').some((row) => row[2] === gid))
      return failed(6, `useradd: group '${gid}' does not exist`);
    if (lineOf(world, 'passwd', name) !== undefined)
      return failed(9, `useradd: user '${name}' already exists`);
    if (rows(world, 'passwd').some((row) => row[2] === uid))
      return failed(4, `useradd: UID ${uid} is not unique`);
    const passwd = [name, 'x', uid, gid, value('--comment'), home, value('--shell')];
    write(world, 'passwd', [...rows(world, 'passwd'), passwd]);
    const ages = options.flags.has('--system') ? ['', '', ''] : ['0', '99999', '7'];
    write(world, 'shadow', [...rows(world, 'shadow'), [name, '!', '20783', ...ages, '', '', '']]);
    if (options.flags.has('--create-home'))
      copySkel(world, ['/etc/skel', home], { uid: Number(uid), gid: Number(gid), home });
    return ok();
  },
  usermod: (call) => {
    const { world } = call;
    const options = readOptions(call, {
      flags: ['--lock', '--unlock', '--'],
      values: ['--shell', '--home', '--comment', '--gid', '--expiredate'],
    });
    const [name = ''] = options.words;
    if (lineOf(world, 'passwd', name) === undefined)
      return failed(6, `usermod: user '${name}' does not exist`);
    const gid = one(options, '--gid');
    if (gid !== undefined && !rows(world, 'group').some((row) => row[2] === gid))
      return failed(6, `usermod: group '${gid}' does not exist`);
    const expires = one(options, '--expiredate');
    if (expires !== undefined)
      changeShadow(world, name, ([of = '', hash = '', ...ages]) => {
        const open = options.flags.has('--unlock') ? hash.replace(/^!/, '') : hash;
        const locked = options.flags.has('--lock') && !hash.startsWith('!') ? `!${hash}` : open;
        return [of, locked, ...ages.slice(0, 5), expires, ages[6] ?? ''];
      });
    const columns = ['', '', '', '--gid', '--comment', '--home', '--shell'];
    write(
      world,
      'passwd',
      rows(world, 'passwd').map((row) =>
        row[0] === name ? row.map((old, at) => one(options, columns[at] ?? '') ?? old) : row,
      ),
    );
    return ok();
  },
  userdel: (call) => {
    const { world } = call;
    const [name = ''] = readOptions(call, { flags: ['--'] }).words;
    const line = lineOf(world, 'passwd', name);
    if (line === undefined) return failed(6, `userdel: user '${name}' does not exist`);
    for (const table of ['passwd', 'shadow'] as const)
      write(
        world,
        table,
        rows(world, table).filter((row) => row[0] !== name),
      );
    const own = lineOf(world, 'group', name);
    const isOwn = own?.[2] === line[3] && !rows(world, 'passwd').some((row) => row[3] === own?.[2]);
    for (const table of ['group', 'gshadow'] as const)
      write(
        world,
        table,
        rows(world, table).flatMap((row) => {
          const others = membersOf(row).filter((each) => each !== name);
          if (isOwn && row[0] === name && others.length === 0) return [];
          // Other lines stay as they are, also those that shadow does not understand.
          return membersOf(row).includes(name) ? [[...row.slice(0, 3), others.join(',')]] : [row];
        }),
      );
    return isOwn || own === undefined
      ? ok()
      : ok('', `userdel: group ${name} not removed because it is not the primary group of user ${name}.\n`);
  },
  chpasswd: (call) => {
    if (call.argv.join(' ') !== '--encrypted') throw unmodelled(call, 'it takes hashes');
    const { name = '', hash = '' } = /^(?<name>[^:]*):(?<hash>.*)\n$/.exec(call.stdin ?? '')?.groups ?? {};
    // The day of the change is one that no other line has.
    changeShadow(call.world, name, ([of = '', , , ...ages]) => [of, hash, '20784', ...ages]);
    return ok();
  },
  chage: (call) => {
    const options = readOptions(call, { flags: ['--'], values: ['--lastday'] });
    const day = one(options, '--lastday') ?? '';
    changeShadow(call.world, options.words[0] ?? '', ([of = '', hash = '', , ...ages]) => [
      ...[of, hash, day === '-1' ? '' : day],
      ...ages,
    ]);
    return ok();
  },
  getent: (call) => {
    const [table = '', name = '', ...more] = call.argv;
    if ((table !== 'passwd' && table !== 'group') || more.length > 0)
      throw unmodelled(call, 'it shows one user or group');
    const line = lineOf(call.world, table, name);
    return line === undefined ? failed(2, '') : ok(`${line.join(':')}\n`);
  },
  setpriv: authorizedKeys,
};

/** Writes the table even without a difference, as the real programs do. */
function changeShadow(world: World, name: string, change: (row: Row) => Row): void {
  write(
    world,
    'shadow',
    rows(world, 'shadow').map((row) => (row[0] === name ? change(row) : row)),
  );
}

type Table = 'passwd' | 'shadow' | 'group' | 'gshadow';
type Row = readonly string[];

function rows(world: World, table: Table): readonly Row[] {
  const path = `/etc/${table}`;
  const there = resolve(world, path, 'follow');
  // If the user is not root, a plan does not know the passwords.
  if (!there.found || there.inode.content === undefined) return [];
  const lines = new TextDecoder().decode(files.readFile(world, path)).split('\n');
  return lines.filter((line) => line !== '').map((line) => line.split(':'));
}

export function lineOf(world: World, table: Table, name: string): Row | undefined {
  return rows(world, table).find((row) => row[0] === name);
}

function membersOf(row: Row = []): readonly string[] {
  return (row[3] ?? '').split(',').filter((each) => each !== '');
}

/** Replaces the file of a table by a new one. The new content is durable, its name is not. */
function write(world: World, table: Table, lines: readonly Row[]): void {
  const path = `/etc/${table}`;
  const there = resolve(world, path, 'follow');
  if (there.found && there.inode.content === undefined) return;
  const mode = there.found ? there.inode.mode : 0o644;
  files.writeNew(world, `${path}+`, lines.map((row) => `${row.join(':')}\n`).join(''), mode);
  files.renamePath(world, `${path}+`, path);
}

function copySkel(
  world: World,
  [from, to]: readonly [string, string],
  { uid, gid, home }: { readonly uid: number; readonly gid: number; readonly home: string },
): void {
  const there = resolve(world, from, 'keep');
  const parent = files.reached(world, 'create', posix.dirname(to));
  const like: Inode = there.found ? there.inode : { kind: 'directory', mode: 0o755, uid, gid };
  const { kind, mode, content, target } = like;
  addInode(parent.tree, parent.ino, posix.basename(to), {
    ...{ kind, mode, uid, gid },
    ...present({ content }),
    ...(target === undefined ? {} : { target: target.replace('/etc/skel', home) }),
    ...(kind === 'directory' ? { entries: new Map<string, number>() } : {}),
  });
  for (const name of like.entries?.keys() ?? [])
    copySkel(world, [posix.join(from, name), posix.join(to, name)], { uid, gid, home });
}

/** Runs the script of bofh that works on ~/.ssh/authorized_keys as its user. */
function authorizedKeys(call: ToolCall): ReturnType<ToolModel> {
  const { world, argv, stdin = '' } = call;
  const [user = '', group = '', , , perl, , verb, home = '', mark = '', made] = argv;
  const [uid, gid] = [user, group].map((word) => Number(/^--re[ug]id=(?<id>\d+)$/.exec(word)?.groups?.id));
  if (perl !== 'perl' || uid === undefined || gid === undefined)
    throw unmodelled(call, 'it is another program');
  const dir = `${home}/.ssh`;
  const at = `${dir}/authorized_keys`;
  const [own, old] = [`${dir}/.bofh-${mark}`, `${dir}/.bofh-gone-${mark}`];
  const isThere = (path: string): boolean => resolve(world, path, 'keep').found;
  const remove = (path: string): void => {
    if (isThere(path)) files.removeFile(world, path);
  };
  const give = (path: string): void => {
    files.setAttributes(files.reached(world, 'chown', path), { uid, gid });
  };
  if (verb === 'read') {
    if (!isThere(`${dir}/${mark}`)) return ok('-\n');
    const text = Buffer.from(files.readFile(world, `${dir}/${mark}`)).toString('latin1');
    return { ...ok(`${text.length}\n${text}`), isLatin1: true };
  }
  if (verb === 'put') {
    if (!isThere(dir)) {
      files.makeDir(world, dir, 0o700, false);
      give(dir);
      files.syncPath(world, home);
    }
    const before = resolve(world, at, 'keep');
    const mode = before.found ? before.inode.mode : 0o600;
    files.writeNew(world, own, Buffer.from(stdin.slice(stdin.indexOf('__END__\n') + 8), 'latin1'), mode);
    give(own);
    if (before.found) files.linkFile(world, at, old);
    if (before.found) files.renamePath(world, own, at);
    else files.linkFile(world, own, at);
    files.syncPath(world, at);
    files.syncPath(world, dir);
    return ok();
  }
  if (verb === 'back') {
    if (isThere(old)) files.renamePath(world, old, at);
    else remove(at);
  }
  remove(old);
  remove(own);
  files.syncPath(world, dir);
  if (made !== undefined && files.readDir(world, dir).length === 0) files.removeDir(world, dir);
  files.syncPath(world, home);
  return ok();
}
