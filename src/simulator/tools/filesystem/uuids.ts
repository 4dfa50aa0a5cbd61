import { one, readOptions, unmodelled } from '../../options.ts';
import type { Superblock } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { heldBy } from '../blockdevice/held.ts';

/**
 * Programs that change a uuid (e2fsprogs 1.47, xfsprogs 6.1, btrfs-progs 6.2). The change stays in
 * the page cache until a sync.
 */
export const uuidTools: Readonly<Record<string, ToolModel>> = {
  tune2fs,
  btrfstune,
  xfs_logprint: xfsLogprint,
};

const seed = 'metadata_csum_seed';

function change(world: World, storage: string, to: Partial<Superblock>): void {
  const content = world.live.get(storage);
  if (content?.superblock !== undefined)
    world.live.set(storage, { ...content, superblock: { ...content.superblock, ...to } });
}

function tune2fs(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-U', '-O'] });
  const [path = '', ...more] = options.words;
  const [uuid, feature] = [one(options, '-U'), one(options, '-O')];
  if (more.length > 0 || (uuid === undefined) === (feature === undefined))
    throw unmodelled(call, 'it takes a uuid, or a feature');
  const banner = 'tune2fs 1.47.0 (5-Feb-2023)\n';
  const held = heldBy(call.world, path, /^ext[234]$/);
  if (held === undefined)
    return failed(
      1,
      `tune2fs: No such file or directory while trying to open ${path}\nCouldn't find valid filesystem superblock.`,
      banner,
    );
  const { features = [] } = held.superblock;
  if (held.mounts.length > 0) throw unmodelled(call, 'it changes only an unmounted filesystem');
  if (uuid !== undefined) {
    if (features.includes('metadata_csum') && !features.includes(seed))
      throw unmodelled(call, 'it rewrites no checksums');
    change(call.world, held.storage, { uuid });
  } else if (feature === seed) change(call.world, held.storage, { features: [...features, seed] });
  else if (feature === `^${seed}`)
    change(call.world, held.storage, { features: features.filter((each) => each !== seed) });
  else throw unmodelled(call, 'it knows one feature');
  return ok(banner);
}

function btrfstune(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['-f'], values: ['-U'] });
  const [path = '', ...more] = options.words;
  const uuid = one(options, '-U');
  if (more.length > 0 || uuid === undefined || !options.flags.has('-f'))
    throw unmodelled(call, 'it changes a uuid, without a question');
  const held = heldBy(call.world, path, /^btrfs$/);
  if (held === undefined)
    return failed(1, `ERROR: mount check: cannot open ${path}: No such file or directory`);
  if (held.mounts.length > 0) return failed(1, `ERROR: ${path} is mounted`);
  if (held.superblock.changing !== undefined && held.superblock.changing !== uuid)
    return failed(1, `ERROR: new fsid ${uuid} does not match the unfinished one`);
  const { changing: _, ...rest } = held.superblock;
  const content = call.world.live.get(held.storage);
  call.world.live.set(held.storage, { ...content, superblock: { ...rest, uuid } });
  return ok(`Current fsid: ${held.superblock.uuid ?? ''}\nNew fsid: ${uuid}\nFsid change finished\n`);
}

/** `xfs_db -x -c 'uuid NEW' DEVICE`, `xfs_db -r -c version -c uuid DEVICE`, and the first sector of the log. */
export function xfsUuid(call: ToolCall): ReturnType<ToolModel> {
  const { argv, world } = call;
  const [path = '', words] = [argv.at(-1), argv.slice(0, -1).join(' ')];
  const held = heldBy(world, path, /^xfs$/);
  if (held === undefined)
    return failed(1, `${path}: No such file or directory\n\nfatal error -- couldn't initialize XFS library`);
  if (words === '-r -c version -c uuid')
    return ok(`versionnum [0xb4b5+0x18a] = V5,NLINK,DIRV2,CRC\nUUID = ${held.superblock.uuid ?? ''}\n`);
  if (words === `-r -c daddr ${String(logStart)} -c type data -c print`)
    return ok('000: feedbabe 00000001 00000002 00000200 00000001 00000000 00000001 00000000\n');
  const uuid = /^-x -c uuid (?<uuid>[0-9a-f-]{36})$/.exec(words)?.groups?.uuid;
  if (uuid === undefined) throw unmodelled(call, 'it tells or sets a uuid');
  if (world.live.get(held.storage)?.needsRecovery === true)
    return ok(
      '',
      'ERROR: The filesystem has valuable metadata changes in a log which needs to\nbe replayed.\n',
    );
  change(world, held.storage, { uuid });
  return ok(`Clearing log and setting UUID\nwriting all SBs\nnew UUID = ${uuid}\n`);
}

const logStart = 327_728;

function xfsLogprint(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['-t'] });
  const [path = '', ...more] = words;
  if (!flags.has('-t') || more.length > 0) throw unmodelled(call, 'it tells the state of a log');
  const held = heldBy(call.world, path, /^xfs$/);
  if (held === undefined) return failed(1, `${path}: No such file or directory`);
  const dirty = call.world.live.get(held.storage)?.needsRecovery === true;
  const [head, state] = dirty ? [45, 'DIRTY'] : [41, 'CLEAN'];
  const where = `    data device: 0xffffffffffffffff\n    log device: 0xffffffffffffffff daddr: ${String(logStart)} length: 131072`;
  return ok(`xfs_logprint:\n${where}\n\n    log tail: 41 head: ${String(head)} state: <${state}>\n\n`);
}
