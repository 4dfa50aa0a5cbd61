import { onBtrfs, putState } from '../../world/btrfs.ts';
import { unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** `btrfs quota enable|disable PATH`, and `enable --simple PATH` of btrfs-progs 6.7 */
export function quota(call: ToolCall, [verb, ...words]: readonly string[]): ReturnType<ToolModel> {
  const path = words.at(-1) ?? '';
  const isSimple = verb === 'enable' && words.length === 2 && words[0] === '--simple';
  const at = onBtrfs(call.world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  if (verb !== 'enable' && verb !== 'disable') throw unmodelled(call, 'it turns quotas on and off');
  const { limits, simple: _, ...rest } = at.state;
  if (verb === 'disable') putState(call.world, at.mount, rest);
  else if (limits === undefined)
    putState(call.world, at.mount, { ...rest, limits: {}, ...(isSimple ? { simple: true } : {}) });
  return ok();
}

/** `btrfs qgroup create 1/0 PATH` */
export function createGroup(
  { world }: ToolCall,
  [group = '', path = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const { limits } = at.state;
  if (limits === undefined) return failed(1, 'ERROR: unable to create quota group: quota not enabled');
  putState(world, at.mount, { ...at.state, limits: { ...limits, [group]: {} } });
  return ok();
}

/** `btrfs qgroup limit [-e] SIZE|none 0/ID PATH` */
export function limit(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const [sort, rest] =
    words[0] === '-e' ? (['exclusive', words.slice(1)] as const) : (['referenced', words] as const);
  const [size = '', group = '', path = ''] = rest;
  const at = onBtrfs(call.world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const { limits, subvolumes } = at.state;
  const refused = 'ERROR: unable to limit requested quota group:';
  if (limits === undefined) return failed(1, `${refused} quota not enabled`);
  if (!subvolumes.some(({ id }) => `0/${id}` === group))
    return failed(1, `${refused} No such file or directory`);
  const own = { ...limits[group], [sort]: size };
  putState(call.world, at.mount, { ...at.state, limits: { ...limits, [group]: own } });
  return ok();
}

/** `btrfs qgroup show --raw -pcre PATH`. The model counts nothing. */
export function groups({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const { limits, subvolumes } = at.state;
  if (limits === undefined) return failed(1, "ERROR: can't list qgroups: quotas not enabled");
  const head =
    'Qgroupid    Referenced    Exclusive  Max referenced  Max exclusive Parent   Child   Path \n' +
    '--------    ----------    ---------  --------------  ------------- ------   -----   ---- \n';
  const row = (group: string, name: string): string => {
    const { referenced = 'none', exclusive = 'none' } = limits[group] ?? {};
    return `${group}   16384   16384   ${referenced}   ${exclusive} -        -       ${name}\n`;
  };
  const made = Object.keys(limits).filter((group) => !group.startsWith('0/'));
  const rows = [
    ...subvolumes
      .toSorted((a, b) => a.id - b.id)
      .map(({ id, inside }) => row(`0/${id}`, id === 5 ? '<toplevel>' : inside.slice(1))),
    ...made.map((group) => row(group, '<0 member qgroups>')),
  ];
  return ok(head + rows.join(''));
}
