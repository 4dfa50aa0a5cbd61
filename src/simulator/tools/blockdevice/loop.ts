import { openers } from '../../world/devices.ts';
import { reached, statPath, storageOf } from '../../world/files.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import type { Loop } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** losetup (util-linux 2.38). */
export const loopTools: Readonly<Record<string, ToolModel>> = { losetup };

/** Options for attaching a file. Missing values are the defaults of losetup. */
export type LoopOptions = Partial<
  Pick<Loop, 'minor' | 'offset' | 'limit' | 'mode' | 'partitions' | 'sectorSize' | 'direct'>
>;

/** Attaches a file as LOOP_CONFIGURE does; also for an administrator. */
export function attachLoop(world: World, path: string, how: LoopOptions): Loop {
  const there = reached(world, 'open', path);
  const { path: real, inode } = there;
  const stat = statPath(world, real);
  if (stat === undefined) throw new TypeError(`the simulated host has no file ${path}`);
  const { offset = 0, limit = 0, minor = lowestFree(world) } = how;
  const whole = (inode.real?.size ?? stat.size) - offset;
  const size = Math.floor((limit === 0 ? whole : Math.min(whole, limit)) / 512) * 512;
  const part = offset === 0 ? '' : `@${offset}`;
  const loop: Loop = {
    ...{ mode: 'rw', partitions: 'ignored', sectorSize: 512, direct: false, autoclear: false },
    ...how,
    ...{ minor, path: real, offset, limit, size, inode: stat.inode, filesystem: stat.device },
    storage: attachedBefore(world, stat, offset)?.storage ?? `${storageOf(world, there)}${part}`,
    sequence: world.nextSequence,
  };
  world.nextSequence += 1;
  world.loops.set(minor, loop);
  world.loopNodes.add(minor);
  return loop;
}

/**
 * Returns the loop device of the real host for the same part of a file: the new device has the same
 * content.
 */
function attachedBefore(
  { overlay }: World,
  { inode, device }: { readonly inode: string; readonly device: string },
  offset: number,
): Loop | undefined {
  return overlay?.loops.find(
    (loop) => loop.inode === inode && loop.filesystem === device && loop.offset === offset,
  );
}

function losetup(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--json', '--list', '--read-only', '--partscan', '--detach', '--direct-io=on'],
    values: ['--output', '--offset', '--sizelimit', '--sector-size'],
  });
  if (options.flags.has('--list')) return list(call, options.words, one(options, '--output') ?? '');
  const [device = '', path, ...more] = options.words;
  const minor = Number(/^\/dev\/loop(?<minor>\d+)$/.exec(device)?.groups?.minor);
  if (Number.isNaN(minor) || more.length > 0) throw unmodelled(call, 'it takes /dev/loopN, and a file');
  if (options.flags.has('--detach')) return detach(call, device, minor);
  if (path === undefined) throw unmodelled(call, 'it needs a file');
  return attach(call, options, { minor, path });
}

function attach(
  { world }: ToolCall,
  options: ReturnType<typeof readOptions>,
  { minor, path }: { readonly minor: number; readonly path: string },
): ReturnType<ToolModel> {
  const refused = (why: string) => failed(1, `losetup: ${path}: failed to set up loop device: ${why}`);
  if (!resolve(world, path, 'follow').found) return refused('No such file or directory');
  if (world.loops.has(minor)) return refused('Device or resource busy');
  attachLoop(world, path, {
    minor,
    offset: Number(one(options, '--offset') ?? 0),
    limit: Number(one(options, '--sizelimit') ?? 0),
    sectorSize: Number(one(options, '--sector-size') ?? 512),
    mode: options.flags.has('--read-only') ? 'ro' : 'rw',
    partitions: options.flags.has('--partscan') ? 'scanned' : 'ignored',
    direct: options.flags.has('--direct-io=on'),
  });
  return ok();
}

/**
 * Detaches a loop device. If it is busy, losetup reports nothing, and the kernel detaches it later.
 */
function detach({ world }: ToolCall, device: string, minor: number): ReturnType<ToolModel> {
  const loop = world.loops.get(minor);
  if (loop === undefined) return failed(1, `losetup: ${device}: detach failed: No such device or address`);
  if (openers(world, `7:${minor}`).length > 0) world.loops.set(minor, { ...loop, autoclear: true });
  else world.loops.delete(minor);
  if (loop.real === true) hide(world, minor);
  return ok();
}

/** Hides what the real host shows about the loop device. */
function hide({ overlay }: World, minor: number): void {
  const folder = `/sys/devices/virtual/block/loop${minor}/loop`;
  overlay?.absent.add(folder);
  for (const path of [...(overlay?.imported.keys() ?? [])])
    if (path === folder || path.startsWith(`${folder}/`)) overlay?.imported.delete(path);
}

function list(call: ToolCall, [path, ...more]: readonly string[], output: string): ReturnType<ToolModel> {
  if (more.length > 0) throw unmodelled(call, 'it lists all of them, or one');
  const all = [...call.world.loops.values()];
  const loops = path === undefined ? all : all.filter(({ minor }) => path === `/dev/loop${minor}`);
  if (path !== undefined && loops.length === 0)
    return failed(1, `losetup: ${path}: failed to use device: No such device`);
  const rows = loops.map((loop) => {
    const lines = output.split(',').map((column) => {
      const value = columns[column]?.(call.world, loop);
      if (value === undefined) throw unmodelled(call, `the model does not know the column ${column}`);
      return `         ${JSON.stringify(column.toLowerCase())}: ${JSON.stringify(value)}`;
    });
    return `      {\n${lines.join(',\n')}\n      }`;
  });
  return ok(`{\n   "loopdevices": [\n${rows.join(',')}\n   ]\n}\n`);
}

const columns: Readonly<Record<string, (world: World, loop: Loop) => string | number | boolean>> = {
  NAME: (_, { minor }) => `/dev/loop${minor}`,
  AUTOCLEAR: (_, { autoclear }) => autoclear,
  RO: (_, { mode }) => mode === 'ro',
  OFFSET: (_, { offset }) => offset,
  SIZELIMIT: (_, { limit }) => limit,
  'BACK-INO': (_, { inode }) => Number(inode),
  'BACK-MAJ:MIN': (_, { filesystem }) => {
    const [major = '', minor = ''] = filesystem.split(':');
    return `${major.padStart(8)}:${minor.padEnd(3)}`;
  },
  'BACK-FILE': backingFile,
  DIO: (_, { direct }) => direct,
  PARTSCAN: (_, { partitions }) => partitions === 'scanned',
  'LOG-SEC': (_, { sectorSize }) => sectorSize,
};

/** Returns the path of the backing file. The kernel marks a deleted file in it (d_path). */
function backingFile(world: World, { path, inode, real }: Loop): string {
  if (real === true || statPath(world, path)?.inode === inode) return path;
  return `${path} (deleted)`;
}

function lowestFree({ loops }: World): number {
  let minor = 0;
  while (loops.has(minor)) minor += 1;
  return minor;
}
