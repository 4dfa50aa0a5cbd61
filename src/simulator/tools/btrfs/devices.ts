import { type Btrfs, type ModelMember, onBtrfs, type OnBtrfs, putState } from '../../world/btrfs.ts';
import { type Device, devices, openers } from '../../world/devices.ts';
import type { Superblock } from '../../world/parts.ts';
import { settle, type World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { sizeOf } from '../blockdevice/held.ts';
import { present } from '../../../core/present.ts';

/**
 * Returns what a superblock contains about its device. The superblock of mkfs contains only the
 * uuid of the filesystem.
 */
export function memberOf({ member, uuid = '' }: Superblock): {
  readonly devid: number;
  readonly uuid: string;
} {
  return member ?? { devid: 1, uuid: uuid.replace(/^.{8}/, '00000001') };
}

/** Returns the number of devices of the filesystem on this device. */
export function devicesOf(world: World, storage: string): number {
  const states = [
    ...[...world.live.values()].map(({ btrfs }) => btrfs),
    ...(world.overlay?.btrfs.values() ?? []),
  ];
  const all = states.find((state) => state?.members?.some((each) => each.storage === storage) === true);
  return all?.members?.length ?? 1;
}

/** `btrfs device add DEVICE PATH` */
export function addDevice(
  { world }: ToolCall,
  [path = '', root = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = onBtrfs(world, root);
  const device = deviceAt(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${root}`);
  if (device === undefined) return failed(1, `ERROR: checking status of ${path}: No such file or directory`);
  const refused = running(at.state, 'device add');
  if (refused !== undefined) return refused;
  const old = world.live.get(device.storage)?.superblock;
  if (old !== undefined)
    return failed(
      1,
      `ERROR: ${path} appears to contain an existing filesystem (${old.type})\nERROR: use the -f option to force overwrite of ${path}`,
    );
  if (openers(world, device.number).length > 0) return failed(1, `ERROR: ${path} is mounted`);
  const trimmed = `Performing full device TRIM ${path} (${(device.size / 1024 ** 3).toFixed(2)}GiB) ...\n`;
  if (device.size <= 1024 ** 2)
    return failed(1, `ERROR: error adding device '${path}': Invalid argument`, trimmed);
  const before = membersOf(world, at);
  const member = {
    devid: Math.max(...before.map(({ devid }) => devid)) + 1,
    uuid: world.ids.uuid(),
  };
  const superblock: Superblock = {
    ...{ type: 'btrfs', usage: 'filesystem', blockSize: 4096, blocks: Math.floor(device.size / 4096) },
    ...{ uuid: uuidOf(world, at), member },
  };
  world.live.set(device.storage, { superblock });
  putState(world, at.mount, {
    ...at.state,
    members: [...before, { ...member, storage: device.storage }],
  });
  commit(world, at, [device.storage]);
  return ok(trimmed);
}

/** `btrfs device remove DEVICE PATH` */
export function removeDevice(
  { world }: ToolCall,
  [path = '', root = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = onBtrfs(world, root);
  const device = deviceAt(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${root}`);
  if (device === undefined) return failed(1, `ERROR: not a block device: ${path}`);
  const refused = running(at.state, 'device remove');
  if (refused !== undefined) return refused;
  const before = membersOf(world, at);
  const left = before.filter(({ storage }) => storage !== device.storage);
  const [successor] = left;
  const failing = `ERROR: error removing device '${path}':`;
  if (left.length === before.length) return failed(1, `${failing} Invalid argument`);
  if (successor === undefined) return failed(1, `${failing} unable to remove the only writeable device`);
  const state: Btrfs = { ...at.state, members: left };
  putState(world, at.mount, left.length === 1 && successor.devid === 1 ? withoutMembers(state) : state);
  leave(world, at, device, successor);
  return ok();
}

/** `btrfs replace start -B NUMBER TARGET PATH` */
export function replaceDevice(
  { world }: ToolCall,
  [devid = '', path = '', root = '']: readonly string[],
): ReturnType<ToolModel> {
  const at = onBtrfs(world, root);
  const device = deviceAt(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${root}`);
  if (device === undefined) return failed(1, `ERROR: ${path}: No such file or directory`);
  const refused = running(at.state, 'device replace');
  if (refused !== undefined) return refused;
  const before = membersOf(world, at);
  const old = before.find((each) => String(each.devid) === devid);
  if (old === undefined) return failed(1, `ERROR: '${devid}' is not a valid devid for filesystem '${root}'`);
  const type = world.live.get(device.storage)?.superblock?.type;
  if (type !== undefined)
    return failed(
      1,
      `ERROR: ${path} appears to contain an existing filesystem (${type})\nERROR: use the -f option to force overwrite of ${path}`,
    );
  const from = devices(world).find(({ storage }) => storage === old.storage);
  if (from === undefined) throw new TypeError(`no device has ${old.storage}`);
  const size = sizeOf(
    from.size,
    world.live.get(old.storage)?.superblock ?? { type: 'btrfs', usage: 'filesystem' },
  );
  if (device.size < from.size)
    return failed(1, `ERROR: target device smaller than source device (required ${from.size} bytes)`);
  const successor = { ...old, storage: device.storage };
  const superblock: Superblock = {
    ...size,
    uuid: uuidOf(world, at),
    member: memberOf({ ...size, member: old }),
  };
  world.live.set(device.storage, { superblock });
  const members = before.map((each) => (each === old ? successor : each));
  putState(world, at.mount, { ...at.state, members });
  leave(world, at, from, successor);
  return ok();
}

/** Removes a device from its filesystem, and makes it blank. */
function leave(world: World, at: OnBtrfs, device: Device, successor: ModelMember): void {
  if (at.mount.storage === device.storage || at.mount.storage === undefined)
    inherit(world, at, device, successor);
  world.live.set(device.storage, {});
  const sysfs = `/sys/fs/btrfs/${uuidOf(world, at, successor)}/devices/${device.name}`;
  world.overlay?.imported.delete(sysfs);
  world.overlay?.absent.add(sysfs);
  commit(world, at, [device.storage, successor.storage]);
}

function withoutMembers({ members: _, ...rest }: Btrfs): Btrfs {
  return rest;
}

/**
 * Moves the model's data of the filesystem to another device, which its mounts show from then on.
 */
function inherit(world: World, { mount }: OnBtrfs, from: Device, successor: ModelMember): void {
  const to = devices(world).find(({ storage }) => storage === successor.storage);
  if (to === undefined) throw new TypeError(`no device has ${successor.storage}`);
  const { storage } = mount;
  if (storage !== undefined) {
    const content = world.live.get(storage) ?? {};
    const { superblock } = world.live.get(successor.storage) ?? {};
    world.live.set(successor.storage, { ...content, ...present({ superblock }) });
  }
  world.mounts = world.mounts.map((each) => {
    if (storage === undefined) {
      const isFrom = each.device === mount.device && deviceAt(world, each.source)?.number === from.number;
      return isFrom ? { ...each, source: `/dev/${to.name}` } : each;
    }
    if (each.storage !== storage) return each;
    return { ...each, storage: successor.storage, device: to.number, source: `/dev/${to.name}` };
  });
}

/** `btrfs filesystem show --raw PATH` */
export function showDevices({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a valid btrfs filesystem: ${path}`);
  const all = membersOf(world, at);
  const { label } = world.live.get(at.mount.storage ?? '')?.superblock ?? {};
  const rows = all.map(({ devid, storage }, index) => {
    const device = devices(world).find((each) => each.storage === storage);
    const used = index === 0 ? 92274688 : 0;
    return `\tdevid ${String(devid).padStart(4)} size ${device?.size ?? 0} used ${used} path /dev/${device?.name ?? ''}\n`;
  });
  return ok(
    `Label: ${label === undefined ? 'none' : `'${label}'`}  uuid: ${uuidOf(world, at)}\n\tTotal devices ${all.length} FS bytes used 147456\n${rows.join('')}\n`,
  );
}

/** `btrfs filesystem usage --raw PATH`: as after mkfs on one device, whatever the content. */
export function usage({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const all = membersOf(world, at).map(({ storage }) =>
    devices(world).find((each) => each.storage === storage),
  );
  const size = all.reduce((sum, device) => sum + (device?.size ?? 0), 0);
  const allocated = 4194304 + 16777216 + 8388608;
  const { metadataProfile = 'DUP', used = 688128, missing = 0 } = at.state;
  const head: readonly (readonly [string, string | number])[] = [
    ['Device size', size],
    ['Device allocated', allocated],
    ['Device unallocated', size - allocated],
    ['Device missing', missing],
    ['Device slack', 0],
    ['Used', used],
    ['Free (estimated)', `${size - allocated}\t(min: ${Math.floor((size - allocated) / 2)})`],
    ['Free (statfs, df)', size - allocated],
    ['Data ratio', '1.00'],
    ['Metadata ratio', '2.00'],
    ['Global reserve', '5767168\t(used: 0)'],
    ['Multiple profiles', 'no'],
  ];
  const on = (device: Device | undefined, bytes: number): string =>
    `   /dev/${device?.name ?? ''}\t${String(bytes).padStart(10)}\n`;
  const [first] = all;
  const sections = [
    `Overall:\n${head.map(([key, value]) => `    ${key}:\t\t${value}\n`).join('')}`,
    `Data,single: Size:4194304, Used:0 (0.00%)\n${on(first, 4194304)}`,
    `Metadata,${metadataProfile}: Size:8388608, Used:327680 (3.91%)\n${on(first, 16777216)}`,
    `System,${metadataProfile}: Size:4194304, Used:16384 (0.39%)\n${on(first, 8388608)}`,
    `Unallocated:\n${all.map((device) => on(device, device?.size ?? 0)).join('')}`,
  ];
  return ok(sections.join('\n'));
}

function membersOf(world: World, { mount, state }: OnBtrfs): readonly ModelMember[] {
  if (state.members !== undefined) return state.members;
  const { storage } = mount;
  const superblock = storage === undefined ? undefined : world.live.get(storage)?.superblock;
  if (storage === undefined || superblock === undefined)
    throw new TypeError(`the devices of ${mount.path} were not read`);
  return [{ ...memberOf(superblock), storage }];
}

function uuidOf(world: World, { mount, state }: OnBtrfs, by?: ModelMember): string {
  return state.fs ?? world.live.get(by?.storage ?? mount.storage ?? '')?.superblock?.uuid ?? '';
}

function running({ balance }: Btrfs, verb: string): ReturnType<ToolModel> | undefined {
  if (balance === undefined || (balance === 'paused' && verb === 'device add')) return undefined;
  const what = balance === 'paused' ? 'balance paused' : 'balance';
  return failed(1, `ERROR: unable to start ${verb}, another exclusive operation '${what}' in progress`);
}

/** Commits a transaction on every device. */
function commit(world: World, { mount }: OnBtrfs, more: readonly string[]): void {
  for (const storage of [mount.storage, ...more]) if (storage !== undefined) settle(world, storage);
}
