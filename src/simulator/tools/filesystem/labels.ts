import { one, readOptions, unmodelled } from '../../options.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { type Held, heldBy, mountedAt } from '../blockdevice/held.ts';

/**
 * Programs that print and change a label (e2fsprogs 1.47, xfsprogs 6.1, dosfstools 4.2, util-linux
 * 2.38).
 */
export const labelTools: Readonly<Record<string, ToolModel>> = {
  e2label,
  fatlabel,
  swaplabel,
  xfs_io: xfsIo,
};

/**
 * Sets a label. A mounted filesystem writes it itself; on an unmounted one it stays in the page
 * cache until a sync.
 */
function setLabel(world: World, { storage, mounts }: Held, label: string): void {
  for (const contents of mounts.length > 0 ? [world.live, world.durable] : [world.live]) {
    const content = contents.get(storage);
    if (content?.superblock === undefined) continue;
    const { label: _, ...rest } = content.superblock;
    contents.set(storage, { ...content, superblock: label === '' ? rest : { ...rest, label } });
  }
}

function e2label(call: ToolCall): ReturnType<ToolModel> {
  const [path = '', label, ...more] = call.argv;
  if (more.length > 0) throw unmodelled(call, 'it takes a device, and a label');
  const held = heldBy(call.world, path, /^ext[234]$/);
  if (held === undefined)
    return failed(
      1,
      deviceAt(call.world, path) === undefined
        ? `e2label: No such file or directory while trying to open ${path}\nCouldn't find valid filesystem superblock.`
        : `e2label: Bad magic number in super-block while trying to open ${path}`,
    );
  if (label === undefined) return ok(`${held.superblock.label ?? ''}\n`);
  setLabel(call.world, held, label);
  return ok();
}

function fatlabel(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['--reset', '-i'] });
  const [path = '', label, ...more] = words;
  if (flags.has('-i')) return setSerial(call, path, label);
  if (more.length > 0) throw unmodelled(call, 'it takes a device, and a label');
  const held = heldBy(call.world, path, /^vfat$/);
  if (held === undefined) return failed(6, 'open: No such file or directory');
  if (label === undefined && !flags.has('--reset'))
    return ok(held.superblock.label === undefined ? '' : `${held.superblock.label}\n`);
  setLabel(call.world, held, label ?? '');
  return ok();
}

/** `fatlabel -i DEVICE 1234ABCD` */
function setSerial(call: ToolCall, path: string, number = ''): ReturnType<ToolModel> {
  const held = heldBy(call.world, path, /^vfat$/);
  if (held === undefined) return failed(6, 'open: No such file or directory');
  const { high, low } = /^(?<high>[0-9A-F]{4})(?<low>[0-9A-F]{4})$/.exec(number)?.groups ?? {};
  if (high === undefined || low === undefined) throw unmodelled(call, 'it takes eight digits');
  setUuid(call.world, held, `${high}-${low}`);
  return ok();
}

function setUuid(world: World, { storage }: Held, uuid: string): void {
  const content = world.live.get(storage);
  if (content?.superblock !== undefined)
    world.live.set(storage, { ...content, superblock: { ...content.superblock, uuid } });
}

function swaplabel(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--label', '--uuid'] });
  const [path = '', ...more] = options.words;
  if (more.length > 0) throw unmodelled(call, 'it takes one device');
  const held = heldBy(call.world, path, /^swap$/);
  if (held === undefined)
    return failed(1, `swaplabel: ${path}: unable to probe device: No such file or directory`);
  const [label, wanted] = [one(options, '--label'), one(options, '--uuid')];
  if (wanted !== undefined) {
    setUuid(call.world, held, wanted);
    return ok();
  }
  const { label: now, uuid } = held.superblock;
  if (label === undefined) return ok(`${now === undefined ? '' : `LABEL: ${now}\n`}UUID:  ${uuid ?? ''}\n`);
  setLabel(call.world, held, label);
  return ok();
}

const noXfs = "\nfatal error -- couldn't initialize XFS library";

/** `xfs_db -r -c label DEVICE`, `xfs_db -x -c 'label NEW' DEVICE`; `--` removes the label. */
export function xfsLabel(call: ToolCall): ReturnType<ToolModel> {
  const [mode, option, words = '', path = '', ...more] = call.argv;
  const label = /^label(?: (?<label>\S+))?$/.exec(words)?.groups?.label;
  if (more.length > 0 || option !== '-c' || mode !== (label === undefined ? '-r' : '-x'))
    throw unmodelled(call, 'it tells or sets a label');
  const held = heldBy(call.world, path, /^xfs$/);
  if (held === undefined) return failed(1, `${path}: No such file or directory\n${noXfs}`);
  if (label === undefined) return ok(`label = "${held.superblock.label ?? ''}"\n`);
  if (held.mounts.length > 0) return failed(1, `xfs_db: ${path} contains a mounted filesystem\n${noXfs}`);
  setLabel(call.world, held, label === '--' ? '' : label);
  return ok(`writing all SBs\nnew label = "${label === '--' ? '' : label}"\n`);
}

function xfsIo(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['-r'], values: ['-c'] });
  const [path = '', ...more] = options.words;
  const { word } = /^label(?: (?<word>-c|-s \S+))?$/.exec(one(options, '-c') ?? '')?.groups ?? {};
  if (more.length > 0 || !/^label/.test(one(options, '-c') ?? ''))
    throw unmodelled(call, 'it knows only labels');
  const held = mountedAt(call.world, path, /^xfs$/);
  if (held === undefined) return failed(1, `${path}: No such file or directory`);
  if (word === undefined) return ok(`label = "${held.superblock.label ?? ''}"\n`);
  const label = word.replace(/^-[cs] ?/, '');
  setLabel(call.world, held, label);
  return ok(`label = "${label}"\n`);
}

/** `btrfs filesystem label DEVICE|PATH [LABEL]` */
export function btrfsLabel(call: ToolCall): ReturnType<ToolModel> {
  const [, , path = '', label, ...more] = call.argv;
  if (more.length > 0) throw unmodelled(call, 'it takes a path, and a label');
  const byDevice = heldBy(call.world, path, /^btrfs$/);
  const held = byDevice ?? mountedAt(call.world, path, /^btrfs$/);
  if (held === undefined) return failed(255, `ERROR: unable to access ${path}: No such file or directory`);
  if (label === undefined) return ok(`${held.superblock.label ?? ''}\n`);
  if (byDevice !== undefined && byDevice.mounts.length > 0)
    return failed(255, `ERROR: device ${path} is mounted, use mount point`);
  setLabel(call.world, held, label);
  return ok();
}
