import { posix } from 'node:path';
import { movedInside, onBtrfs, rootAt } from '../../world/btrfs.ts';
import { renamePath } from '../../world/files.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, symlink } from '../../world/tree.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** mv and ln (coreutils 9.1): a rename within one filesystem, and a symbolic link; neither replaces anything. */
export const moveTools: Readonly<Record<string, ToolModel>> = { ln, mv };

function mv(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const { flags, words } = readOptions(call, { flags: ['--no-clobber', '--no-target-directory'] });
  const [from = '', to = '', ...more] = words;
  if (flags.size !== 2 || more.length > 0) throw unmodelled(call, 'the model only renames to an unused name');
  const source = resolve(world, from, 'keep');
  if (!source.found) return failed(1, `mv: cannot stat '${from}': No such file or directory`);
  // With --no-clobber mv leaves an existing name as it is: no message, exit 0 (coreutils 9.1).
  if (resolve(world, to, 'keep').found) return ok();
  const parent = resolve(world, posix.dirname(to), 'follow');
  if (!parent.found) return failed(1, `mv: cannot move '${from}' to '${to}': No such file or directory`);
  if (parent.storage !== source.storage) throw unmodelled(call, 'this call would copy to another filesystem');
  const at = onBtrfs(world, from);
  const isOtherDirectory = posix.dirname(from) !== posix.dirname(to);
  if (isOtherDirectory && at !== undefined && rootAt(at)?.mode === 'ro')
    return failed(1, `mv: cannot move '${from}' to '${to}': Read-only file system`);
  movedInside(world, from, to);
  renamePath(world, from, to);
  return ok();
}

function ln(call: ToolCall): ReturnType<ToolModel> {
  const { world, argv } = call;
  const [first, second, dashes, target = '', path = '', ...more] = argv;
  if ([first, second, dashes].join(' ') !== '--symbolic --no-target-directory --' || more.length > 0)
    throw unmodelled(
      call,
      'the model creates only one link, with --symbolic --no-target-directory -- TARGET PATH',
    );
  if (resolve(world, path, 'keep').found)
    return failed(1, `ln: failed to create symbolic link '${path}': File exists`);
  const parent = resolve(world, posix.dirname(path), 'follow');
  if (!parent.found)
    return failed(1, `ln: failed to create symbolic link '${path}': No such file or directory`);
  addInode(parent.tree, parent.ino, posix.basename(path), symlink(target));
  return ok();
}
