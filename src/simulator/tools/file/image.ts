import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/**
 * truncate (coreutils 9.1) and fallocate (util-linux 2.38): the size of a file, without written bytes. chmod, with
 * permission bits in octal.
 */
export const imageTools: Readonly<Record<string, ToolModel>> = {
  truncate: (call) => {
    const options = readOptions(call, { flags: ['--no-create'], values: ['--size'] });
    if (!options.flags.has('--no-create')) throw unmodelled(call, 'it changes a file that is there');
    return grow(call, options.words, one(options, '--size'), () => ok());
  },
  chmod: (call) => {
    const [mode = '', path = '', ...more] = readOptions(call, {}).words;
    if (!/^0[0-7]{3}$/.test(mode) || more.length > 0) throw unmodelled(call, 'it takes 0600 and one file');
    const there = resolve(call.world, path, 'follow');
    if (!there.found) return failed(1, `chmod: cannot access '${path}': No such file or directory`);
    there.tree.inodes.set(there.ino, { ...there.inode, mode: Number.parseInt(mode, 8) });
    return ok();
  },
  fallocate: (call) => {
    const options = readOptions(call, { values: ['--length'] });
    return grow(call, options.words, one(options, '--length'), () => {
      throw unmodelled(call, 'it would make the file');
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
  if ((there.inode.content?.length ?? 0) > 0) throw unmodelled(call, 'it knows new files alone');
  there.tree.inodes.set(there.ino, { ...there.inode, length: Number(size) });
  return ok();
}
