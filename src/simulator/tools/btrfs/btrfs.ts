import { onBtrfs } from '../../world/btrfs.ts';
import { unmodelled } from '../../options.ts';
import { ok, type ToolCall, type ToolModel } from '../answer.ts';
import { commit, error } from './at.ts';
import { addDevice, removeDevice, replaceDevice, showDevices, usage } from './devices.ts';
import { balance, balanceStatus, scrub, scrubStatus } from './maintenance.ts';
import { createGroup, groups, limit, quota } from './quota.ts';
import { getDefault, list, rootid, show, showById } from './show.ts';
import { receive, send } from './stream.ts';
import { create, remove, setDefault, setProperty, snapshot } from './subvolumes.ts';
import { sizeTools } from '../filesystem/sizes.ts';

/** btrfs (btrfs-progs 6.2): subvolumes, their properties and the default one. */
export const btrfsTools: Readonly<Record<string, ToolModel>> = { btrfs };

type Verb = (call: ToolCall, words: readonly string[]) => ReturnType<ToolModel>;

const verbs: readonly (readonly [words: readonly string[], verb: Verb])[] = [
  [['subvolume', 'create'], create],
  [['subvolume', 'snapshot', '-r'], (call, words) => snapshot(call, words, 'ro')],
  [['subvolume', 'snapshot'], (call, words) => snapshot(call, words, 'rw')],
  [['subvolume', 'delete', '--commit-each', '--subvolid'], remove],
  [['subvolume', 'show', '--rootid'], showById],
  [['subvolume', 'show'], show],
  [['subvolume', 'list', '-a', '-p', '-g', '-u', '-q', '-R'], (call, words) => list(call, words, 'plain')],
  [
    ['subvolume', 'list', '-a', '-p', '-c', '-g', '-u', '-q', '-R'],
    (call, words) => list(call, words, 'cgen'),
  ],
  [['subvolume', 'get-default'], getDefault],
  [['subvolume', 'set-default'], setDefault],
  [['property', 'set', '-t', 'subvol'], setProperty],
  [['inspect-internal', 'rootid'], rootid],
  [['filesystem', 'sync'], sync],
  [['send'], send],
  [['quota'], quota],
  [['qgroup', 'create'], createGroup],
  [['qgroup', 'limit'], limit],
  [['qgroup', 'show', '--raw', '-pcre'], groups],
  [['device', 'add'], addDevice],
  [['device', 'remove'], removeDevice],
  [['replace', 'start', '-B'], replaceDevice],
  [['filesystem', 'show', '--raw'], showDevices],
  [['filesystem', 'usage', '--raw'], usage],
  [['scrub', 'start', '-B', '-R'], scrub],
  [['scrub', 'status', '-R'], scrubStatus],
  [['balance', 'start'], balance],
  [['balance', 'status'], balanceStatus],
  [['receive'], receive],
];

function btrfs(call: ToolCall): ReturnType<ToolModel> {
  for (const [words, verb] of verbs)
    if (words.every((word, at) => call.argv[at] === word)) return verb(call, call.argv.slice(words.length));
  const ofSizes = sizeTools.btrfs;
  if (ofSizes === undefined) throw unmodelled(call, 'the model does not know the verb or one of its options');
  return ofSizes(call);
}

function sync({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  commit(world, at);
  return ok();
}
