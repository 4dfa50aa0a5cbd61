import { around, type OnBtrfs, onBtrfs, putState } from '../../../../src/simulator/world/btrfs.ts';
import { openers } from '../../../../src/simulator/world/devices.ts';
import type { DrbdResource } from '../../../../src/simulator/world/drbd.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { tableIn } from '../../../../src/simulator/tools/blockdevice/sectors.ts';
import { intoGroups, intoInactive, intoLuks, intoReplica, intoTable } from './deeds-layers.ts';
import { hasBytes } from './kept.ts';
import { written } from './moves.ts';
import {
  type Deed,
  fileIsKept,
  filesystemIsKept,
  laterFile,
  type Theirs,
  theirFilesystem,
  theirPlace,
  theirText,
} from './theirs.ts';
import { type Touched, type TouchedDevice, touchedIn } from './touched.ts';

/** What can be done on this host, with what is not as it was. */
export function deedsOf(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const touched = touchedIn(before, now);
  return [
    ...touched.devices.flatMap((each) => [
      ...intoFilesystem(now, each),
      ...overDevice(now, each),
      ...intoLuks(now, each),
      ...intoTable(each),
      ...intoReplica(now, each),
    ]),
    ...intoGroups(touched),
    ...intoInactive(before, now),
    ...intoFiles(touched),
    ...now.world.drbd.resources
      .filter(
        (each) => each.name === 'web1' && !before.world.drbd.resources.some((old) => isAlike(old, each)),
      )
      .map(written),
    ...writesOfGuests(before, now),
  ];
}

/** Disks that a guest got while it ran: what it writes there would be lost with them. */
export function disksGiven(
  before: SimulatedHost,
  now: SimulatedHost,
): readonly { readonly domid: number; readonly vdev: string }[] {
  return before.world.domains.flatMap(({ domid, disks }) =>
    (now.world.domains.find((each) => each.domid === domid)?.disks ?? [])
      .filter(({ vdev }) => !disks.some((each) => each.vdev === vdev))
      .map(({ vdev }) => ({ domid, vdev })),
  );
}

/** Its kernel unmounts the disk when the administrator wants it to. */
function writesOfGuests(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  return disksGiven(before, now).map(({ domid, vdev }) => {
    const changed = ({ world }: SimulatedHost, writes: number): void => {
      const domain = world.domains.find((each) => each.domid === domid);
      if (domain === undefined) throw new TypeError('that guest is gone');
      domain.disks = domain.disks.map((each) => (each.vdev === vdev ? { ...each, writes } : each));
      world.revision += 1;
    };
    return {
      title: `the guest writes to ${vdev}`,
      act: (host) => {
        changed(host, 7);
        return {
          isKept: ({ world }) =>
            world.domains.some(
              (each) => each.domid === domid && each.disks.some(({ writes }) => writes === 7),
            ),
        };
      },
    };
  });
}

function isAlike(one: DrbdResource, other: DrbdResource): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A file in its filesystem: through the mount that is there, or through one of their own, which they end or keep. */
function intoFilesystem(
  now: SimulatedHost,
  { device, content, directories }: TouchedDevice,
): readonly Deed[] {
  const { superblock, tree } = content;
  if (tree === undefined || superblock === undefined) return [];
  const mounts = now.world.mounts.filter(({ storage }) => storage === device.storage);
  const mount = mounts.find(({ options, root }) => root === '/' && options.split(',').includes('rw'));
  const path = `/dev/${device.name}`;
  return ['', ...directories.slice(0, 2)].flatMap((directory): readonly Deed[] => {
    const title = `a file in ${directory || '/'} of ${device.name}`;
    const write = (host: SimulatedHost, at: string): boolean => {
      const inside = onBtrfs(host.world, at + directory);
      if (inside !== undefined) makeWritable(host, inside);
      host.admin.writeFile(`${at}${directory}/ledger.txt`, theirText);
      return true;
    };
    if (mount !== undefined)
      return [{ title, act: (host) => (write(host, mount.path), { isKept: fileIsKept }) }];
    if (openers(now.world, device.number).length > 0) return [];
    const mountIt = ({ admin }: SimulatedHost): void => {
      admin.mkdir(theirPlace);
      admin.mount(path, theirPlace);
    };
    const leave = ({ admin }: SimulatedHost): void => admin.umount(theirPlace);
    const unmounted = (host: SimulatedHost): Theirs => {
      mountIt(host);
      write(host, theirPlace);
      leave(host);
      return { isKept: fileIsKept };
    };
    const mounted = (host: SimulatedHost): Theirs => {
      mountIt(host);
      write(host, theirPlace);
      return { isKept: fileIsKept, leave };
    };
    return [
      { title: `${title}, unmounted again`, act: unmounted },
      { title: `${title}, still mounted`, act: mounted },
    ];
  });
}

/** `btrfs property set -f PATH ro false`: also of one that was received, which forgets what it was received from. */
function makeWritable({ world }: SimulatedHost, at: OnBtrfs): void {
  const { id, mode } = around(at);
  if (mode === 'rw') return;
  const subvolumes = at.state.subvolumes.map((each) => {
    const { receivedUuid: _, ...rest } = each;
    return each.id === id ? { ...rest, mode: 'rw' as const, generation: each.generation + 1 } : each;
  });
  putState(world, at.mount, { ...at.state, subvolumes });
}

/** Replaces the content of an unused device. */
function overDevice(
  now: SimulatedHost,
  { device, content, hasGrown, isNew }: TouchedDevice,
): readonly Deed[] {
  const { superblock } = content;
  const path = `/dev/${device.name}`;
  const isOpen = openers(now.world, device.number).length > 0;
  const isMember = superblock?.type === 'LVM2_member' || superblock?.member !== undefined;
  const isTable = tableIn(content, device.size) !== undefined;
  const isReadOnly = device.mapping?.mode === 'ro';
  const isPool = device.lv?.lv.layout === 'thin,pool';
  if (isPool || isOpen || isMember || isTable || isReadOnly) return [];
  const bytes = Buffer.from(theirText);
  const raw = (title: string, offset: number): Deed => ({
    title: `raw data at the ${title} of ${device.name}`,
    act: (host) => {
      host.admin.writeBytes(path, offset, bytes);
      return { isKept: (later) => hasBytes(later, { storage: device.storage, offset, bytes }) };
    },
  });
  const end = device.size - 8192;
  return [
    {
      title: `a filesystem on ${device.name}`,
      act: ({ admin }) => {
        admin.format(path, theirFilesystem);
        return { isKept: filesystemIsKept };
      },
    },
    ...(superblock === undefined && isNew ? [raw('start', 0)] : []),
    ...(superblock === undefined || hasGrown ? [raw('end', end - (end % 512))] : []),
  ];
}

/** Files: what they hold is replaced, in place, or gets a line more. */
function intoFiles({ files }: Touched): readonly Deed[] {
  return files
    .filter((path) => path !== laterFile)
    .flatMap((path): readonly Deed[] => [
      {
        title: `${path} rewritten in place`,
        act: ({ admin }) => {
          admin.writeFile(path, theirText);
          return { isKept: fileIsKept };
        },
      },
    ]);
}
