import { one, readOptions, unmodelled } from '../../options.ts';
import { UnknownInPlan } from '../../real-host/unknown.ts';
import { accessOf, permissions, setAcl } from '../../world/acl.ts';
import type { Inode } from '../../world/tree.ts';
import { failed, ok, type ToolModel } from '../answer.ts';
import { at } from './xattr.ts';

/** getfacl and setfacl (acl 2.3.1), and `ls -l` (coreutils 9.7), of one file or directory. */
export const aclTools: Readonly<Record<string, ToolModel>> = {
  getfacl: (call) => {
    const known = ['--absolute-names', '--omit-header', '--numeric', '--no-effective', '--physical', '--'];
    const { flags, words } = readOptions(call, { flags: known });
    const [path = '', ...more] = words;
    if (flags.size !== known.length || more.length > 0)
      throw unmodelled(call, 'it shows one file by numbers');
    const there = at(call, path);
    if (there === undefined) return failed(1, `getfacl: ${path}: No such file or directory`);
    if (there.inode.acl === 'unread')
      throw new UnknownInPlan(`cannot tell the ACL of ${path}, which was copied`);
    const lines = [...accessOf(there.inode), ...inheritedOf(there.inode).map((entry) => `default:${entry}`)];
    return ok(`${lines.join('\n')}\n\n`);
  },
  setfacl: (call) => {
    const known = { flags: ['--physical', '--no-mask', '--remove-default', '--'], values: ['--set'] };
    const options = readOptions(call, known);
    const [path = '', ...more] = options.words;
    const all = one(options, '--set')?.split(',') ?? [];
    if (!options.flags.has('--no-mask') || more.length > 0 || all.length === 0)
      throw unmodelled(call, 'it sets the whole ACL of one file');
    const there = at(call, path);
    if (there === undefined) return failed(1, `setfacl: ${path}: No such file or directory`);
    const isDefault = (entry: string): boolean => entry.startsWith('default:');
    const now = all.filter((entry) => !isDefault(entry));
    const given = all.filter(isDefault).map((entry) => entry.slice('default:'.length));
    const kept = options.flags.has('--remove-default') ? [] : inheritedOf(there.inode);
    setAcl(there, { access: now, inherited: given.length > 0 ? given : kept });
    return ok();
  },
  ls: (call) => {
    const known = ['--directory', '-l', '--numeric-uid-gid', '--quoting-style=c', '--'];
    const { flags, words } = readOptions(call, { flags: known });
    if (flags.size !== known.length) throw unmodelled(call, 'it shows files');
    const missing = words.find((path) => at(call, path) === undefined);
    if (missing !== undefined) return failed(2, `ls: cannot access '${missing}': No such file or directory`);
    return ok(words.flatMap((path) => lineOf(path, at(call, path))).join(''));
  },
};

function lineOf(path: string, there: ReturnType<typeof at>): readonly string[] {
  if (there === undefined) return [];
  const { kind, mode, uid, gid, acl } = there.inode;
  const bits = [mode >> 6, mode >> 3, mode].map((each) => permissions[each & 7]).join('');
  const isListed = acl !== undefined && acl !== 'unread' && acl.access.length + acl.inherited.length > 0;
  const start = `${kind === 'directory' ? 'd' : '-'}${bits}${isListed ? '+' : ''}`;
  return [`${start} 1 ${String(uid)} ${String(gid)} 0 Jan  1 00:00 ${JSON.stringify(path)}\n`];
}

function inheritedOf({ acl }: Inode): readonly string[] {
  return acl === undefined || acl === 'unread' ? [] : acl.inherited;
}
