import { posix } from 'node:path';
import { around, type Btrfs, type ModelSubvolume, onBtrfs, parentOf, rootAt } from '../../world/btrfs.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { atRoot, error } from './at.ts';

/** `btrfs subvolume show PATH` */
export function show({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  if (!resolve(world, path, 'follow').found)
    return error(`cannot find real path for '${path}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at === undefined) return error('Not a Btrfs filesystem: Invalid argument');
  const one = rootAt(at);
  return one === undefined ? error('Not a Btrfs subvolume: Invalid argument') : ok(shown(at.state, one));
}

/** `btrfs subvolume show --rootid ID PATH` */
export function showById(
  { world }: ToolCall,
  [id = '', path = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error('Not a Btrfs filesystem: Invalid argument');
  const one = at.state.subvolumes.find((each) => String(each.id) === id);
  return one === undefined
    ? error('Subvolume not found: No such file or directory')
    : ok(shown(at.state, one));
}

function shown(state: Btrfs, one: ModelSubvolume): string {
  const parent = parentOf(state, one);
  const snapshots = state.subvolumes.filter(({ parentUuid }) => parentUuid === one.uuid);
  const lines = [
    one.id === 5 ? '/' : one.inside.slice(1),
    `\tName: \t\t\t${one.id === 5 ? '<FS_TREE>' : posix.basename(one.inside)}`,
    `\tUUID: \t\t\t${one.uuid}`,
    `\tParent UUID: \t\t${one.parentUuid ?? '-'}`,
    `\tReceived UUID: \t\t${one.receivedUuid ?? '-'}`,
    `\tCreation time: \t\t${one.made ?? '-'}`,
    `\tSubvolume ID: \t\t${one.id}`,
    `\tGeneration: \t\t${one.generation}`,
    `\tGen at creation: \t${one.madeIn}`,
    `\tParent ID: \t\t${parent}`,
    `\tTop level ID: \t\t${parent}`,
    `\tFlags: \t\t\t${one.mode === 'ro' ? 'readonly' : '-'}`,
    '\tSend transid: \t\t0',
    `\tSend time: \t\t${one.made ?? '-'}`,
    '\tReceive transid: \t0',
    '\tReceive time: \t\t-',
    '\tSnapshot(s):',
    ...snapshots.map(({ inside }) => `\t\t\t\t${inside.slice(1)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** `btrfs subvolume list -a -p [-c] -g -u -q -R PATH` */
export function list(
  { world }: ToolCall,
  [path = '']: readonly string[],
  form: 'plain' | 'cgen',
): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined)
    return failed(1, `ERROR: not a btrfs filesystem: ${path}\nERROR: can't access '${path}'`);
  const own = around(at).id;
  const lines = at.state.subvolumes
    .filter(({ id }) => id !== 5)
    .toSorted((a, b) => a.id - b.id)
    .map((one) => {
      const parent = parentOf(at.state, one);
      const cgen = form === 'plain' ? '' : ` cgen ${one.madeIn}`;
      const uuids = [one.parentUuid, one.receivedUuid].map((uuid = '-') => uuid.padEnd(36));
      const prefix = parent === own ? '' : '<FS_TREE>/';
      return `ID ${one.id} gen ${one.generation}${cgen} parent ${parent} top level ${parent} parent_uuid ${uuids[0] ?? ''} received_uuid ${uuids[1] ?? ''} uuid ${one.uuid} path ${prefix}${one.inside.slice(1)}\n`;
    });
  return ok(lines.join(''));
}

/** `btrfs subvolume get-default PATH` */
export function getDefault({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = atRoot(world, path);
  if ('exitCode' in at) return at;
  const one = at.state.subvolumes.find(({ id }) => id === at.state.defaultId);
  if (one === undefined || one.id === 5) return ok('ID 5 (FS_TREE)\n');
  const parent = parentOf(at.state, one);
  return ok(`ID ${one.id} gen ${one.generation} top level ${parent} path ${one.inside.slice(1)}\n`);
}

/** `btrfs inspect-internal rootid PATH` */
export function rootid({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const there = resolve(world, path, 'follow');
  if (!there.found) return error(`cannot access '${path}': No such file or directory`);
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  const { id, mode } = around(at);
  if (there.inode.kind === 'file' && mode === 'ro')
    return error(`cannot access '${path}': Read-only file system`);
  return ok(`${id}\n`);
}
