import { bytesAt } from '../../blockdevice/index.ts';
import { rootId } from '../../btrfs/commands.ts';
import { membersOf } from '../../btrfs/devices.ts';
import { placeOf } from '../../btrfs/place.ts';
import { quotaOf } from '../../btrfs/quota.ts';
import { subvolumeShow } from '../../btrfs/read-commands.ts';
import { defaultOf, subvolumes } from '../../btrfs/reads.ts';
import type { Command, ReadHost } from '../../command/index.ts';
import {
  type Btrfs,
  type ModelMember,
  type ModelSubvolume,
  mountOver,
  onBtrfs,
  printedTime,
  putState,
  rootAt,
} from '../world/btrfs.ts';
import { deviceByNumber } from '../world/devices.ts';
import { realNode } from './ask.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { present } from '../../core/present.ts';
import type { Mount } from '../world/parts.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';

/** Reads from the real host what a command needs to know about a mounted btrfs. */
export async function prepareBtrfs(overlay: Overlay, world: World, command: Command<unknown>): Promise<void> {
  for (const path of command.argv.filter((word) => word.startsWith('/'))) {
    await pageIn(world, path, 'stat');
    const mount = mountOver(world, path);
    if (mount?.type !== 'btrfs' || mount.storage !== undefined) continue;
    if (!overlay.btrfs.has(mount.device)) overlay.btrfs.set(mount.device, await stateOf(overlay.real, mount));
    await tellMore(overlay.real, world, command, path);
    if (command.argv[0] === 'device' || command.argv[0] === 'replace')
      await knowMembers(overlay, world, mount);
  }
}

/** Reads the devices of a btrfs, which the model needs only when one is added or removed. */
async function knowMembers({ real, btrfs }: Overlay, world: World, mount: Mount): Promise<void> {
  const state = btrfs.get(mount.device);
  if (state === undefined || state.members !== undefined) return;
  const { fs } = await placeOf(real, mount.path);
  const members: ModelMember[] = [];
  for (const { path, devid, deviceUuid: uuid } of await membersOf(real, fs)) {
    const storage = (await nameDevice(world, path))?.storage;
    if (storage === undefined) throw new TypeError(`${path} is not a device`);
    members.push({ devid, uuid, storage });
  }
  btrfs.set(mount.device, { ...state, fs, members });
  world.revision += 1;
}

async function stateOf(real: ReadHost, mount: Mount): Promise<Btrfs> {
  const { fs } = await placeOf(real, mount.path);
  const found = await subvolumes(real, mount.path);
  const own = found.map(
    ({ id, shown, uuid = '', parentUuid, receivedUuid, generation, madeIn }): ModelSubvolume => ({
      ...{ id, inside: `/${shown}`, uuid, generation, madeIn, mode: 'rw' },
      ...present({ parentUuid, receivedUuid }),
    }),
  );
  const top: ModelSubvolume = { id: 5, inside: '/', uuid: '', generation: 0, madeIn: 0, mode: 'rw' };
  return {
    nextId: Math.max(255, ...own.map(({ id }) => id)) + 1,
    generation: Math.max(8, ...own.map(({ generation }) => generation)) + 1,
    defaultId: await defaultOf(real, fs),
    ...(await limitsOf(real, mount)),
    subvolumes: [top, ...own],
  };
}

async function limitsOf(real: ReadHost, mount: Mount): Promise<Pick<Btrfs, 'limits'>> {
  const quota = await quotaOf(real, mount.path);
  if (quota.mode === 'off') return {};
  const limits = quota.groups.map(({ id, maxReferenced, maxExclusive }) => [
    id,
    {
      ...(maxReferenced === undefined ? {} : { referenced: String(maxReferenced) }),
      ...(maxExclusive === undefined ? {} : { exclusive: String(maxExclusive) }),
    },
  ]);
  return { limits: Object.fromEntries(limits) as Btrfs['limits'] & object };
}

/**
 * Reads the values of a subvolume that are missing in the list, when a command needs this
 * subvolume.
 */
async function tellMore(
  real: ReadHost,
  world: World,
  { argv }: Command<unknown>,
  path: string,
): Promise<void> {
  const at = onBtrfs(world, path);
  if (at === undefined) return;
  const id = Number(argv[argv.indexOf('--rootid') + 1]);
  const one = argv.includes('--rootid') ? at.state.subvolumes.find((each) => each.id === id) : rootAt(at);
  if (one === undefined || one.made !== undefined) return;
  const isTop = one.id === 5;
  if (isTop && (await real.run(rootId(path))) !== 5) return;
  const {
    uuid = '',
    mode,
    made,
    generation,
    madeIn,
  } = await real.run(isTop ? subvolumeShow(path) : subvolumeShow(at.mount.path, { id: one.id }));
  const known: ModelSubvolume = {
    ...one,
    uuid,
    mode,
    generation,
    madeIn,
    made: made === undefined ? '-' : printedTime(new Date(made)),
  };
  const subvolumesNow = at.state.subvolumes.map((each) => (each === one ? known : each));
  putState(world, at.mount, { ...at.state, subvolumes: subvolumesNow });
}

/**
 * Whether a command is about something that the model does not change: the space of a btrfs, and
 * its running operations.
 */
export function isOfSpace({ argv: [group, verb] }: Command<unknown>): boolean {
  const isStatus = verb === 'status' && (group === 'scrub' || group === 'balance');
  return (group === 'filesystem' && verb === 'usage') || isStatus;
}

/** Whether a command is about subvolumes and devices, which the model changes. */
export function isOfSubvolumes({ argv: [group, verb] }: Command<unknown>): boolean {
  const groups = [
    'device',
    'replace',
    'subvolume',
    'property',
    'send',
    'receive',
    'scrub',
    'balance',
    'quota',
    'qgroup',
  ];
  return groups.includes(group ?? '') || verb === 'rootid' || verb === 'sync';
}

/** Reads the start of a stream in a file of the real host; the model knows its own streams. */
export async function knowStream(overlay: Overlay, world: World, { argv }: Command<unknown>): Promise<void> {
  const path = argv[argv.indexOf('-f') + 1] ?? '';
  const there = resolve(world, path, 'follow');
  if (!argv.includes('-f') || !there.found || overlay.streams.has(path)) return;
  const device = deviceByNumber(world, there.inode.node);
  if (device === undefined && there.inode.real === undefined) return;
  const count = Math.min(device?.size ?? there.inode.real?.size ?? 0, 512);
  const from = device === undefined ? path : realNode(overlay, world, device);
  if (from === undefined) return;
  const { buffer } = await overlay.real.run(bytesAt(from, { from: 0, count }));
  overlay.streams.set(path, new Uint8Array(buffer));
}
