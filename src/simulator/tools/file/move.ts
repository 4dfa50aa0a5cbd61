import { posix } from 'node:path';
import { movedInside, onBtrfs, rootAt } from '../../world/btrfs.ts';
import { renamePath } from '../../world/files.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** mv (coreutils 9.1), as a rename within one filesystem that replaces nothing. */
export const moveTools: Readonly<Record<string, ToolModel>> = { mv };

function mv(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const { flags, words } = readOptions(call, { flags: ['--no-clobber', '--no-target-directory'] });
  const [from = '', to = '', ...more] = words;
  if (flags.size !== 2 || more.length > 0) throw unmodelled(call, 'it renames one thing, over nothing');
  const source = resolve(world, from, 'keep');
  if (!source.found) return failed(1, `mv: cannot stat '${from}': No such file or directory`);
  // It refuses without a word.
  if (resolve(world, to, 'keep').found) return ok();
  const parent = resolve(world, posix.dirname(to), 'follow');
  if (!parent.found) return failed(1, `mv: cannot move '${from}' to '${to}': No such file or directory`);
  if (parent.storage !== source.storage) throw unmodelled(call, 'it would copy to another filesystem');
  const at = onBtrfs(world, from);
  const isOtherDirectory = posix.dirname(from) !== posix.dirname(to);
  if (isOtherDirectory && at !== undefined && rootAt(at)?.mode === 'ro')
    return failed(1, `mv: cannot move '${from}' to '${to}': Read-only file system`);
  movedInside(world, from, to);
  renamePath(world, from, to);
  return ok();
}
