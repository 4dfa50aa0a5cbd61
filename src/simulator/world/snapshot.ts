import { createHash } from 'node:crypto';
import { streamHead } from '../../btrfs/stream.ts';
import { describeBtrfs } from './btrfs.ts';
import { deviceByNumber, devices, withDeviceList } from './devices.ts';
import { look } from './drbd-link.ts';
import { tableIn } from '../tools/blockdevice/sectors.ts';
import { packageLines } from './packages.ts';
import { accessOf } from './acl.ts';
import { xattrsInWords } from './xattr.ts';
import { type Inode, inodeOf, linksOf, type Tree, walk } from './tree.ts';
import type { Content, LogicalVolume, Loop, LuksParts, VolumeGroup } from './parts.ts';
import { describeUnits } from './units.ts';
import { describeParameters } from './parameters.ts';
import type { World } from './world.ts';

/**
 * Files of bofh itself are not part of the state of the host. Neither are the empty files and directories that
 * bofh and libmount leave on /run.
 */
const own =
  /^\/(?:var\/lib\/bofh(?!\/headers\/.|\/passwords\/.|\/scripts\/.|\/packages-)|run\/bofh\/locks)(?:\/|$)|^\/run\/(?:bofh|bofh\/mnt|bofh\/notes(?:\/[^/]*-undone)?|mount)$/;

/** Replaces random parts of the content of a file, so that two runs can be compared. */
export type Rewrite = (content: Uint8Array) => Uint8Array;

/**
 * Returns the state of the host as text, one object a line, in a fixed order: its current state
 * and, where that differs, its state after a power cut. Numbers without a meaning for people
 * (inodes, domids, minors) are left out.
 */
export function snapshot(world: World, rewrite: Rewrite = (content) => content): string {
  look(world);
  return withDeviceList(world, () => stateText(world, rewrite));
}

function stateText(world: World, rewrite: Rewrite): string {
  const lines = [
    ...world.lvm.flatMap((vg) => [
      `vg ${vg.name} ${vg.uuid}`,
      ...vg.pvs.map((pv) => {
        const flags = [`tags=${(pv.tags ?? []).join(',')}`, pv.allocatable === 'no' ? 'closed' : 'open'];
        return `pv ${pv.path} ${pv.uuid} in ${vg.name} extents=${pv.extents} ${flags.join(' ')}`;
      }),
      ...vg.lvs.map((lv) => {
        const state = world.active.has(lv.uuid) ? 'active' : 'inactive';
        const flags = [`tags=${lv.tags.toSorted().join(',')}`, lv.autoactivation ? 'auto' : 'manual', state];
        // The position of a single run on the first device does not matter.
        const runs = (lv.runs ?? []).map(({ pv, start, count }) => `${elsewhere(vg, pv)}${start}+${count}`);
        const isPlain = runs.length <= 1 && !runs[0]?.startsWith('/');
        const where = isPlain ? '' : ` at=${runs.join(',')}`;
        const kind = [
          ...(lv.layout === undefined ? [] : [` ${lv.layout}`]),
          ...(lv.origin === undefined ? [] : [` of=${lv.origin}`]),
          ...(lv.merging === true ? [' merging'] : []),
          ...(lv.pool === undefined ? [] : [` in=${lv.pool}`]),
          ...((lv.moreExtents ?? 0) === 0 ? [] : [` more=${lv.moreExtents}`]),
          ...partsOf(vg, lv),
        ];
        return `lv ${vg.name}/${lv.name} ${lv.uuid} extents=${lv.extents}${kind.join('')}${where} ${flags.join(' ')}`;
      }),
    ]),
    ...describeParameters(world),
    ...[...world.modules.keys()].sort().map((name) => `module ${name}`),
    ...[...world.scripts].flatMap(([name, isDone]) => (isDone ? [`script ${name} done`] : [])),
    ...world.mounts.map(({ source, path, type, options }) => `mount ${source} on ${path} ${type} ${options}`),
    ...[...world.partitions].flatMap(([disk, parts]) =>
      parts.map(({ number, start, size }) => {
        const name = deviceByNumber(world, disk)?.name ?? disk;
        return `partition ${number} of ${name} ${start}+${size}`;
      }),
    ),
    ...world.swaps.map((number) => `swap ${number}`),
    ...[...world.loops.values()].map(loopLine),
    ...world.mappings.map(({ name, dmUuid, lower, size, mode }) => {
      const device = deviceByNumber(world, lower);
      const on = device === undefined ? lower : nameOf(world, device.storage);
      return `mapping ${name} ${dmUuid} on ${on} ${size} ${mode}`;
    }),
    ...world.drbd.resources.flatMap(({ name, role, connection, volumes }) => [
      `drbd ${name} ${role} ${connection}`,
      ...volumes.map(
        ({ volume, minor, disk, lower, size, paused, replication }) =>
          `drbd ${name}/${volume} minor=${minor} ${disk} on ${lower ?? 'nothing'} ${size} ${replication === 'VerifyS' ? '' : (replication ?? '')}${paused === true ? ' paused' : ''}`,
      ),
    ]),
    ...world.domains.map(({ name, uuid, state, memoryMiB, vcpus, weight, disks, nics, agent }) => {
      const parts = [
        ...disks.map(({ vdev, path }) => `${vdev}=${path}`),
        ...nics.map(({ mac, bridge }) => `${mac}=${bridge}`),
      ].join(',');
      return `domain ${name} ${uuid} ${state === 'blocked' ? 'running' : state} ${memoryMiB}MiB ${vcpus}vcpus weight=${weight} ${parts}${agent?.filesystems === 'frozen' ? ' frozen' : ''}`;
    }),
    ...packageLines(world),
    ...describeUnits(world),
    ...contents(world, world.live, 'now', rewrite),
    ...contents(world, world.durable, 'durable', rewrite),
  ];
  return `${lines.sort().join('\n')}\n`;
}

function loopLine({
  minor,
  path,
  offset,
  limit,
  mode,
  partitions,
  sectorSize,
  direct,
  autoclear,
}: Loop): string {
  const how = [mode, partitions, sectorSize, direct ? 'direct' : 'cached', autoclear ? 'autoclear' : 'stays'];
  return `loop${minor} ${path} ${offset}+${limit} ${how.join(' ')}`;
}

function contents(
  world: World,
  all: ReadonlyMap<string, Content>,
  when: 'now' | 'durable',
  rewrite: Rewrite,
): readonly string[] {
  return [...all].flatMap(([storage, { superblock, tree, luks, btrfs }]) => {
    if (isUnreachable(all, storage) || isNoPartition(world, storage)) return [];
    const table = tableIn(
      all.get(storage),
      devices(world).find((each) => each.storage === storage)?.size ?? 0,
    );
    const where = `${when} ${nameOf(world, storage)}`;
    const { type, uuid, label, blocks, blockSize, member, errors = false } = superblock ?? {};
    const wrong = errors === false ? undefined : `errors ${String(errors)}`;
    const number = member === undefined ? undefined : `device ${member.devid}`;
    const size = blocks === undefined ? undefined : `${blocks}x${blockSize ?? 4096}`;
    const signature =
      superblock === undefined
        ? table === undefined
          ? rawly(all.get(storage))
          : `${table.type} ${table.id} ${JSON.stringify(table.partitions)}`
        : [type, uuid, label, size, number, wrong].filter((word) => word !== undefined).join(' ');
    const slots = luks === undefined ? [] : describeLuks(luks).map((line) => `${where} ${line}`);
    const more = btrfs === undefined ? [] : describeBtrfs(btrfs).map((line) => `${where} ${line}`);
    const first = storage.startsWith('tmpfs:') ? [] : [`${where} holds ${signature}`, ...slots, ...more];
    return tree === undefined ? first : [...first, ...files(tree, storage, where, rewrite)];
  });
}

/**
 * Describes written sectors that blkid does not know: a stream of btrfs, tags of bofh, and other
 * data.
 */
function rawly({ sectors }: Content = {}): string {
  const first = sectors?.get(0);
  const head =
    first === undefined ? undefined : streamHead(new DataView(first.buffer, first.byteOffset, 512));
  const starting = (word: string): readonly Uint8Array[] =>
    [...(sectors?.values() ?? [])].filter((each) => Buffer.from(each).toString('latin1').startsWith(word));
  const marks = [...starting('btrfs stream of '), ...starting('bofh.')];
  const plain = starting('plain data');
  const mark = marks.length === 0 ? '' : ', marked';
  return `${head === undefined ? 'blank' : `a stream of ${head.name} ${head.uuid}`}${mark}${plain.length === 0 ? '' : ', plain data'}`;
}

function describeLuks({ slots, volumeKey, cipher, reencryption }: LuksParts): readonly string[] {
  return [
    ...slots.map(
      ({ slot, key, kdf, opens }) =>
        `key slot ${slot} ${kdf} ${key}${opens === undefined ? '' : ` ${opens}`}`,
    ),
    ...(volumeKey === undefined ? [] : [`volume key ${volumeKey}`]),
    ...(cipher === undefined ? [] : [`cipher ${cipher}`]),
    ...(reencryption === undefined ? [] : [`is being reencrypted ${JSON.stringify(reencryption)}`]),
  ];
}

function files(tree: Tree, storage: string, where: string, rewrite: Rewrite): readonly string[] {
  const top = storage.startsWith('tmpfs:') ? storage.slice('tmpfs:'.length) : '';
  return [...walk(tree)].flatMap(([path, ino]) => {
    const whole = `${top}${path}`;
    const isEmptyTable = whole === '/run/mount/utab' && inodeOf(tree, ino).content?.length === 0;
    return own.test(whole) || isEmptyTable
      ? []
      : [`${where} ${JSON.stringify(path)} ${describe(tree, ino, rewrite)}`];
  });
}

function describe(tree: Tree, ino: number, rewrite: Rewrite): string {
  const inode: Inode = inodeOf(tree, ino);
  const mode = inode.mode.toString(8).padStart(4, '0');
  if (inode.kind === 'symlink') return `link to ${inode.target ?? ''}`;
  const from = inode.uid === 0 && inode.gid === 0 ? '' : ` of ${String(inode.uid)}:${String(inode.gid)}`;
  const owner = `${from}${aclIn(inode)}${xattrsInWords(inode)}`;
  if (inode.kind === 'directory') return `directory ${mode}${owner}`;
  const content = rewrite(inode.content ?? new Uint8Array());
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return `${inode.kind} ${mode}${owner} links=${linksOf(tree, ino)} ${inode.length ?? content.length} ${hash}`;
}

/** The ACLs of a file, if it has more than a mode. */
function aclIn(inode: Inode): string {
  const { acl } = inode;
  if (acl === undefined) return '';
  if (acl === 'unread') return ' acl unread';
  const lists = [acl.access.length === 0 ? [] : accessOf(inode), acl.inherited];
  return lists.some((list) => list.length > 0)
    ? ` acl ${lists.map((list) => list.join(',')).join(' default ')}`
    : '';
}

/** Whether this is the content of a partition that the kernel no longer has. */
function isNoPartition(world: World, storage: string): boolean {
  return storage.startsWith('part:') && !devices(world).some((device) => device.storage === storage);
}

/**
 * Whether this is the content of an encrypted or replicated device whose header is gone, or to
 * which nothing was written yet.
 */
function isUnreachable(all: ReadonlyMap<string, Content>, storage: string): boolean {
  const { uuid, lower } = /^(?:crypt|drbd):(?<uuid>[^:]*):(?<lower>.*)$/s.exec(storage)?.groups ?? {};
  if (lower === undefined) return false;
  return all.get(lower)?.superblock?.uuid !== uuid || all.get(storage)?.superblock === undefined;
}

/** Returns the hidden logical volumes of a volume, and their devices. */
function partsOf(vg: VolumeGroup, { name: top }: LogicalVolume): readonly string[] {
  const own = (vg.hidden ?? []).filter(({ name }) => name.startsWith(`${top}_r`));
  return own.map(({ name, runs = [] }) => {
    const where = runs.map(({ pv, start, count }) => `${elsewhere(vg, pv)}${start}+${count}`);
    return ` ${name.slice(top.length + 1)}=${where.join(',')}`;
  });
}

/** Returns which device of the group it is, if it is not the first one. */
function elsewhere({ pvs }: VolumeGroup, uuid: string): string {
  const at = pvs.findIndex((pv) => pv.uuid === uuid);
  return at > 0 ? `${pvs[at]?.path ?? ''}:` : '';
}

/** Names a volume, so that two runs can be compared; without a name, by its storage. */
function nameOf(world: World, storage: string): string {
  for (const vg of world.lvm)
    for (const lv of vg.lvs) if (storage === `lv:${lv.uuid}`) return `${vg.name}/${lv.name}`;
  return devices(world).find((device) => device.storage === storage)?.name ?? storage;
}
