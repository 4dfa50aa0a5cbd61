import { devices, freeExtents, openers } from '../../../../src/simulator/world/devices.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { newSlot } from '../../../../src/simulator/tools/crypt/luks.ts';
import { tableIn } from '../../../../src/simulator/tools/blockdevice/sectors.ts';
import { activateLv } from '../../../../src/simulator/tools/lvm/volumes.ts';
import { settle } from '../../../../src/simulator/world/world.ts';
import { type Deed, filesystemIsKept, type Theirs, theirFilesystem } from './theirs.ts';
import type { Touched, TouchedDevice } from './touched.ts';

/** A replica that they take up: with its resource up and primary, which then is taken down again or not. */
export function intoReplica(now: SimulatedHost, { device, content }: TouchedDevice): readonly Deed[] {
  if (content.superblock?.type !== 'drbd' || openers(now.world, device.number).length > 0) return [];
  const filled = ({ admin, world }: SimulatedHost): void => {
    admin.drbdadm('up', 'web1');
    const volume = world.drbd.resources
      .find(({ name }) => name === 'web1')
      ?.volumes.find(({ lower }) => lower === device.number);
    if (volume === undefined) throw new TypeError('the resource has no such disk');
    admin.drbdadm('primary', '--force', 'web1');
    admin.format(`/dev/drbd${String(volume.minor)}`, theirFilesystem);
  };
  const leave = ({ world: { drbd } }: SimulatedHost): void => {
    drbd.resources = drbd.resources.filter(({ name }) => name !== 'web1');
  };
  return [
    {
      title: `a filesystem on the replica on ${device.name}, taken down again`,
      act: (host) => {
        filled(host);
        leave(host);
        return { isKept: filesystemIsKept };
      },
    },
    {
      title: `a filesystem on the replica on ${device.name}, still up`,
      act: (host) => {
        filled(host);
        return { isKept: filesystemIsKept, leave };
      },
    },
  ];
}

/** A filesystem within, after they have opened it with a key of theirs; and another key. */
export function intoLuks(now: SimulatedHost, { device, content }: TouchedDevice): readonly Deed[] {
  const { superblock, luks } = content;
  if (superblock?.type !== 'crypto_LUKS' || luks === undefined) return [];
  const slot = newSlot(now.world, { slot: 6, key: 'their key', kdf: 'pbkdf2', memory: 0 });
  const key: Deed = {
    title: `a key of theirs for ${device.name}`,
    act: ({ world }) => {
      const old = world.live.get(device.storage) ?? {};
      world.live.set(device.storage, { ...old, luks: { ...luks, slots: [...luks.slots, slot] } });
      settle(world, device.storage);
      world.revision += 1;
      const isKept = (host: SimulatedHost): boolean =>
        host.world.live.get(device.storage)?.luks?.slots.some(({ salt }) => salt === slot.salt) === true;
      return { isKept };
    },
  };
  const isOpen = openers(now.world, device.number).length > 0;
  if (luks.slots.length === 0) return [];
  // "Device is in reencryption": cryptsetup adds no key then.
  const keys = luks.reencryption === undefined ? [key] : [];
  if (isOpen) return keys;
  const opened = ({ admin }: SimulatedHost): void => {
    admin.luksOpen(`/dev/${device.name}`, 'others');
    admin.format('/dev/mapper/others', theirFilesystem);
  };
  const leave = ({ admin, world }: SimulatedHost): void => {
    if (world.mappings.some(({ name }) => name === 'others')) admin.luksClose('others');
  };
  return [
    {
      title: `a filesystem within ${device.name}, closed again`,
      act: (host) => {
        opened(host);
        leave(host);
        return { isKept: filesystemIsKept };
      },
    },
    {
      title: `a filesystem within ${device.name}, still open`,
      act: (host) => {
        opened(host);
        return { isKept: filesystemIsKept, leave };
      },
    },
    ...keys,
  ];
}

/** Another partition, with a filesystem. */
export function intoTable({ device, content }: TouchedDevice): readonly Deed[] {
  const table = tableIn(content, device.size);
  if (table === undefined) return [];
  const last = Math.max(2048, ...table.partitions.map(({ start, size }) => start + size));
  const size = 2048;
  if ((last + size) * 512 > device.size - 64 * 512) return [];
  const number = Math.max(0, ...table.partitions.map((each) => each.number)) + 1;
  const typed = table.type === 'dos' ? { type: '83' } : { type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' };
  const named = table.type === 'dos' ? {} : { uuid: '0c0ffee0-0000-4000-8000-00000000000e' };
  const entry = { number, start: last, size, ...typed, ...named };
  return [
    {
      title: `a partition on ${device.name}, with a filesystem`,
      act: ({ admin, world }) => {
        admin.partition(`/dev/${device.name}`, { ...table, partitions: [...table.partitions, entry] });
        const part = world.partitions.get(device.number)?.find((each) => each.number === number);
        if (part === undefined) throw new TypeError('the kernel of the model has no such partition');
        admin.format(`/dev/${device.name}${String(number)}`, theirFilesystem);
        return { isKept: filesystemIsKept };
      },
    },
  ];
}

/** A volume with a filesystem: in a group, in a thin pool, or in a group that they make of a physical volume. */
export function intoGroups({ groups, devices, freePvs }: Touched): readonly Deed[] {
  const filled = (host: SimulatedHost, vg: string, name: string): Theirs => {
    host.admin.format(`/dev/${vg}/${name}`, theirFilesystem);
    return { isKept: filesystemIsKept };
  };
  return [
    ...freePvs.map(
      ({ name }): Deed => ({
        title: `a volume in a group of theirs on ${name}`,
        act: (host) => {
          host.admin.vgcreate('others', [`/dev/${name}`]);
          host.admin.lvcreate({ vg: 'others', name: 'own', extents: 2 });
          return filled(host, 'others', 'own');
        },
      }),
    ),
    ...groups.map(
      (vg): Deed => ({
        title: `a volume in ${vg.name}`,
        act: (host) => {
          host.admin.lvcreate({ vg: vg.name, name: 'others', extents: freeExtents(vg) });
          return filled(host, vg.name, 'others');
        },
      }),
    ),
    ...devices.flatMap(({ device: { lv } }): readonly Deed[] => {
      if (lv?.lv.layout !== 'thin,pool') return [];
      return [
        {
          title: `a thin volume in ${lv.lv.name}`,
          act: (host) => {
            host.admin.thinVolume({ vg: lv.vg.name, name: 'others', pool: lv.lv.name, extents: 4 });
            return filled(host, lv.vg.name, 'others');
          },
        },
      ];
    }),
  ];
}

/** A new volume that is not active: they activate it, write to it and leave it active. */
export function intoInactive(before: SimulatedHost, now: SimulatedHost): readonly Deed[] {
  const known = new Set(before.world.lvm.flatMap(({ lvs }) => lvs.map(({ uuid }) => uuid)));
  return now.world.lvm.flatMap(({ name: vg, lvs }) =>
    lvs.flatMap(({ uuid, name, layout }): readonly Deed[] => {
      if (known.has(uuid) || now.world.active.has(uuid) || layout === 'thin,pool') return [];
      return [
        {
          title: `a filesystem on ${name}, which they activated`,
          act: ({ admin, world }) => {
            const lv = world.lvm.flatMap((each) => each.lvs).find((each) => each.uuid === uuid);
            if (lv === undefined) throw new TypeError(`${name} is gone`);
            activateLv(world, lv);
            const device = devices(world).find(({ storage }) => storage === `lv:${uuid}`);
            if (device === undefined) throw new TypeError(`${vg}/${name} has no device`);
            world.revision += 1;
            admin.format(`/dev/${device.name}`, theirFilesystem);
            return { isKept: filesystemIsKept };
          },
        },
      ];
    }),
  );
}
