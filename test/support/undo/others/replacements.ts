import { type Device, openers } from '../../../../src/simulator/world/devices.ts';
import { reached } from '../../../../src/simulator/world/files.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { LogicalVolume, VolumeGroup } from '../../../../src/simulator/world/parts.ts';
import { withBytes } from '../../../../src/simulator/tools/blockdevice/sectors.ts';
import { isPool } from '../../../../src/simulator/tools/lvm/thin.ts';
import { createLv, removeLv } from '../../../../src/simulator/tools/lvm/volumes.ts';
import { file } from '../../../../src/simulator/world/tree.ts';
import { copyContent, settle } from '../../../../src/simulator/world/world.ts';
import { type Deed, laterFile, theirFilesystem, theirText, theirUuid } from './theirs.ts';
import { disksGiven } from './deeds.ts';
import { hasBytes, hasFile, hasSuperblock } from './kept.ts';
import { touchedIn } from './touched.ts';

const bytes = Buffer.from(theirText);

/** An object of the sequence is gone, and a foreign one has its name, and everything else that can be the same. */
export function replacementsOf(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const { devices, files } = touchedIn(before, now);
  const had = (uuid: string): boolean => before.world.lvm.some((vg) => vg.uuid === uuid);
  return [
    ...devices.flatMap(({ device }) => [...anotherVolume(now, device), ...anotherDisk(now, device)]),
    ...files.filter((path) => path !== laterFile).map(anotherFile),
    ...now.world.lvm.filter(({ uuid }) => !had(uuid)).map(anotherGroup),
    ...devices.flatMap(({ device, isNew }) => (isNew ? anotherMapping(device) : [])),
    ...anotherMount(before, now),
    ...anotherLoop(before, now),
    ...anotherGuest(before, now),
    ...anotherSubvolume(before, now),
    ...anotherDiskOfGuest(before, now),
  ];
}

/**
 * Another volume of its name, tags, size and content; behind its head it holds what the old one did not. Nobody can write to a
 * thin pool itself: there it is a thin volume in the new pool.
 */
function anotherVolume({ world }: SimulatedHost, { lv: at, number, size }: Device): readonly Deed[] {
  if (at === undefined || openers(world, number).length > 0) return [];
  if (at.lv.areas !== undefined || at.vg.lvs.some(({ pool, origin }) => [pool, origin].includes(at.lv.uuid)))
    return [];
  const offset = Math.min(5 * 1024 ** 2, size - 8192);
  return [
    {
      title: `another volume ${at.vg.name}/${at.lv.name} with a copy of its content`,
      act: (host) => {
        const [vg, lv] = volumeIn(host, at.lv.uuid);
        const content = copyContent(host.world.live.get(`lv:${lv.uuid}`) ?? {});
        removeLv(host.world, vg, lv);
        const { uuid: _, ...same } = lv;
        const replaced = createLv(host.world, vg, same);
        const thin = { vg: vg.name, pool: replaced.name, name: 'theirs', extents: 4 };
        if (isPool(replaced)) host.admin.thinVolume(thin);
        const made = isPool(replaced) ? vg.lvs.find(({ name }) => name === thin.name) : replaced;
        const storage = `lv:${made?.uuid ?? ''}`;
        host.world.live.set(storage, withBytes(content, offset, bytes));
        settle(host.world, storage);
        host.world.revision += 1;
        return { isKept: (later) => hasBytes(later, { storage, offset, bytes }) };
      },
    },
  ];
}

function volumeIn({ world }: SimulatedHost, uuid: string): readonly [VolumeGroup, LogicalVolume] {
  for (const vg of world.lvm) for (const lv of vg.lvs) if (lv.uuid === uuid) return [vg, lv];
  throw new TypeError('that volume is gone');
}

/** Another disk under the kernel's name of the one that was used, which now has the name of the other; one is a copy. */
function anotherDisk({ world }: SimulatedHost, { storage, number, size }: Device): readonly Deed[] {
  const [disk, other] = [storage, 'disk:vdy'].map((each) =>
    world.disks.find(({ name }) => `disk:${name}` === each),
  );
  const isUsed = world.lvm.some(({ pvs }) => pvs.some((pv) => pv.number === number));
  if (disk === undefined || other === undefined || disk === other || isUsed) return [];
  if (openers(world, number).length > 0 || disk.size !== other.size) return [];
  const offset = size - 8192;
  const swapped = ({ world: host }: SimulatedHost): void => {
    const mine = host.live.get(storage) ?? {};
    for (const contents of [host.live, host.durable]) {
      contents.set('disk:vdy', copyContent(mine));
      contents.set(storage, withBytes(copyContent(mine), offset, bytes));
    }
    const disks = host.disks.map((each) =>
      each.name === disk.name
        ? { ...each, serial: other.serial }
        : each.name === other.name
          ? { ...each, serial: disk.serial }
          : each,
    );
    Object.assign(host, { disks });
    host.revision += 1;
  };
  return [
    {
      title: `another disk is ${disk.name}, with a copy of its content`,
      act: (host) => {
        swapped(host);
        return { isKept: (later) => hasBytes(later, { storage, offset, bytes }) };
      },
    },
  ];
}

/** Another file with the same number, as a filesystem gives it to the next one. Only when it was made is another. */
function anotherFile(path: string): Deed {
  return {
    title: `another file ${path} of the same inode number`,
    act: ({ admin, world }) => {
      const { tree, ino, inode } = reached(world, 'open', path);
      const content = Buffer.concat([inode.content ?? new Uint8Array(), Buffer.from(theirText)]);
      admin.removeFile(path);
      const after = tree.next;
      // While another name has the inode, its number is not given out again.
      if (!tree.inodes.has(ino)) tree.next = ino;
      admin.writeFile(path, '');
      tree.next = Math.max(after, ino) + 1;
      const made = reached(world, 'open', path);
      tree.inodes.set(made.ino, { ...file(content, inode.mode), birth: after });
      settle(world, made.storage);
      world.revision += 1;
      return { isKept: (host) => hasFile(host, theirText) };
    },
  };
}

function anotherGroup({ name, pvs }: VolumeGroup): Deed {
  return {
    title: `another group ${name} with a volume`,
    act: ({ admin, world }) => {
      world.lvm = world.lvm.filter((vg) => vg.name !== name);
      admin.vgcreate(
        name,
        pvs.map(({ path }) => path),
      );
      admin.lvcreate({ vg: name, name: 'others', extents: 2 });
      admin.format(`/dev/${name}/others`, theirFilesystem);
      return { isKept: (host) => hasSuperblock(host, theirUuid) };
    },
  };
}

/** Another LUKS device that is open under that name. */
function anotherMapping({ mapping }: Device): readonly Deed[] {
  if (mapping === undefined) return [];
  return [
    {
      title: `another device is open as ${mapping.name}`,
      act: ({ admin, world }) => {
        admin.luksClose(mapping.name);
        admin.lvcreate({ vg: 'vg0', name: 'others', extents: 16 });
        admin.luksFormat({
          device: '/dev/vg0/others',
          uuid: '0c0ffee0-0000-4000-8000-00000000000c',
          key: 'theirs',
        });
        admin.luksOpen('/dev/vg0/others', mapping.name);
        const { number } = world.mappings.find(({ name }) => name === mapping.name) ?? {};
        return {
          isKept: (host) =>
            host.world.mappings.some((each) => each.name === mapping.name && each.number === number),
        };
      },
    },
  ];
}

function anotherMount(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const old = new Set(before.world.mounts.map(({ path }) => path));
  return now.world.mounts
    .filter(({ path }) => !old.has(path))
    .map(({ path }) => ({
      title: `another device is mounted on ${path}`,
      act: ({ admin, world }) => {
        admin.umount(path);
        admin.lvcreate({ vg: 'vg0', name: 'others', extents: 16 });
        admin.format('/dev/vg0/others', theirFilesystem);
        admin.mkdir(path);
        const { id } = admin.mount('/dev/vg0/others', path);
        const isKept = (host: SimulatedHost): boolean =>
          host.world.mounts.some((mount) => mount.path === path && mount.id === id);
        const leave = (host: SimulatedHost): void => host.admin.umount(path);
        if (!isKept({ world } as SimulatedHost)) throw new TypeError('it is not mounted');
        return { isKept, leave };
      },
    }));
}

function anotherLoop(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  return [...now.world.loops.values()]
    .filter(({ minor }) => !before.world.loops.has(minor))
    .map(({ minor, offset, limit, mode }) => ({
      title: `another file is attached at /dev/loop${minor}`,
      act: ({ admin }) => {
        admin.detachLoop(`/dev/loop${minor}`);
        admin.writeFile('/srv/others.img', '2'.repeat(8192));
        admin.losetup('/srv/others.img', { minor, offset, limit, mode });
        return { isKept: (host) => host.world.loops.get(minor)?.path === '/srv/others.img' };
      },
    }));
}

function anotherGuest(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const old = new Set(before.world.domains.map(({ uuid }) => uuid));
  return now.world.domains
    .filter(({ uuid }) => !old.has(uuid))
    .map(({ name }) => ({
      title: `another guest is called ${name}`,
      act: ({ admin }) => {
        admin.destroyDomain(name);
        const { domid } = admin.startDomain({ name, uuid: theirUuid });
        return { isKept: (host) => host.world.domains.some((each) => each.domid === domid) };
      },
    }));
}

function anotherDiskOfGuest(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const other = now.world.disks.find(({ name }) => name === 'vdy');
  if (other === undefined) return [];
  return disksGiven(before, now).map(({ domid, vdev }) => ({
    title: `another disk is ${vdev} of the guest`,
    act: (host) => {
      const disk = { vdev, path: '/dev/vdy', number: other.number };
      for (const domain of host.world.domains)
        if (domain.domid === domid)
          domain.disks = domain.disks.map((each) => (each.vdev === vdev ? disk : each));
      host.world.revision += 1;
      return {
        isKept: ({ world }) =>
          world.domains.some((each) => each.disks.some(({ path }) => path === disk.path)),
      };
    },
  }));
}

function anotherSubvolume(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  return now.world.mounts.flatMap(({ storage = '', path, type, root }) => {
    if (type !== 'btrfs' || root !== '/') return [];
    const old = new Set(before.world.live.get(storage)?.btrfs?.subvolumes.map(({ uuid }) => uuid));
    const made = now.world.live.get(storage)?.btrfs?.subvolumes.filter(({ uuid }) => !old.has(uuid)) ?? [];
    return made
      .filter(({ inside }) => !inside.includes('/.bofh-') && inside !== '/')
      .filter(({ inside }) => !made.some((each) => each.inside.startsWith(`${inside}/`)))
      .map(({ inside, id }) => ({
        title: `another subvolume ${path}${inside}`,
        act: ({ admin }: SimulatedHost) => {
          admin.btrfs('subvolume', 'delete', '--commit-each', '--subvolid', String(id), path);
          admin.btrfs('subvolume', 'create', path + inside);
          admin.writeFile(`${path}${inside}/ledger.txt`, theirText);
          return { isKept: (host: SimulatedHost) => hasFile(host, theirText) };
        },
      }));
  });
}
