import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { setAttributes } from '../../world/files.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/**
 * truncate (coreutils 9.1) and fallocate (util-linux 2.38): set the size of a file without writing
 * bytes. chmod and chown with numbers; lsattr for files without flags.
 */
export const imageTools: Readonly<Record<string, ToolModel>> = {
  truncate: (call) => {
    const options = readOptions(call, { flags: ['--no-create'], values: ['--size'] });
    if (!options.flags.has('--no-create')) throw unmodelled(call, 'it changes only an existing file');
    return grow(call, options.words, one(options, '--size'), () => ok());
  },
  chmod: (call) => {
    const [mode = '', path = '', ...more] = readOptions(call, {}).words;
    const octal = /^0(?<bits>[0-7]{3,4})$/.exec(mode)?.groups?.bits;
    if (octal === undefined || more.length > 0)
      throw unmodelled(call, 'it takes an octal mode such as 0600, and one file');
    const there = resolve(call.world, path, 'follow');
    if (!there.found) return failed(1, `chmod: cannot access '${path}': No such file or directory`);
    // With fewer than five digits chmod keeps setuid and setgid of a directory.
    const kept = there.inode.kind === 'directory' && octal.length < 4 ? there.inode.mode & 0o6000 : 0;
    setAttributes(there, { mode: Number.parseInt(octal, 8) | kept });
    return ok();
  },
  chown: (call) => {
    const { flags, words } = readOptions(call, { flags: ['--no-dereference'] });
    const [owner = '', path = '', ...more] = words;
    const numbers = /^(?<uid>\d+):(?<gid>\d+)$/.exec(owner)?.groups;
    if (flags.size !== 1 || numbers === undefined || more.length > 0)
      throw unmodelled(call, 'it takes UID:GID and one file');
    const there = resolve(call.world, path, 'keep');
    if (!there.found) return failed(1, `chown: cannot access '${path}': No such file or directory`);
    const { kind, mode } = there.inode;
    // The kernel removes setuid, and setgid where the group may execute.
    const lost = kind === 'file' ? 0o4000 | ((mode & 0o010) === 0 ? 0 : 0o2000) : 0;
    setAttributes(there, { uid: Number(numbers.uid), gid: Number(numbers.gid), mode: mode & ~lost });
    return ok();
  },
  lsattr: (call) => {
    const { flags, words } = readOptions(call, { flags: ['-d'] });
    const [path = '', ...more] = words;
    if (flags.size !== 1 || more.length > 0) throw unmodelled(call, 'it shows one file');
    if (!resolve(call.world, path, 'keep').found)
      return failed(1, `lsattr: No such file or directory while trying to stat ${path}`);
    return ok(`--------------e------- ${path}\n`);
  },
  fallocate: (call) => {
    const options = readOptions(call, { values: ['--length'] });
    return grow(call, options.words, one(options, '--length'), () => {
      throw unmodelled(call, 'fallocate would create the file');
    });
  },
};

function grow(
  call: ToolCall,
  [path = '', ...more]: readonly string[],
  size: string | undefined,
  missing: () => ReturnType<ToolModel>,
): ReturnType<ToolModel> {
  if (more.length > 0 || size === undefined) throw unmodelled(call, 'it takes a size and one file');
  const there = resolve(call.world, path, 'follow');
  if (!there.found) return missing();
  if ((there.inode.content?.length ?? 0) > 0) throw unmodelled(call, 'it knows only files without content');
  there.tree.inodes.set(there.ino, { ...there.inode, length: Number(size) });
  return ok();
}
