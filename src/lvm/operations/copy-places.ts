import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import type { VolumeAmong } from '../reads.ts';
import type { PhysicalVolume } from '../objects.ts';
import { copiesOf, placesOf, refuseUnsynced } from './copies.ts';
import { membersOf } from './groups.ts';
import { type KnownPv, type PresentPv, toKnown } from './known-pvs.ts';
import { pvOn } from './physical.ts';

/** Returns the device for a second copy: the named one, or the first with space. */
export async function placeForCopy(
  host: ReadHost,
  { lv }: VolumeAmong,
  device: string | undefined,
): Promise<KnownPv[]> {
  const own = await placesOf(host, lv);
  const members = present(await membersOf(host, lv.vgUuid));
  const named = device === undefined ? undefined : await pvOn(host, device);
  if (named !== undefined && !members.some(({ uuid }) => uuid === named.uuid))
    throw new RefusedError(`${named.path} is not in the volume group ${lv.vg}`, {
      remedy: `add it first: bofh lvm vg extend ${lv.vg} ${named.path}`,
    });
  if (named !== undefined && own.includes(named.uuid))
    throw new RefusedError(`${lv.fullName} is on ${named.path} itself: a copy there would be lost with it`, {
      remedy: 'name another device of the group',
    });
  // Each copy also needs one extent that records what is in sync.
  const fits = ({ uuid, free, allocatable }: PhysicalVolume): boolean =>
    allocatable && free > lv.size && !own.includes(uuid);
  const found = named === undefined ? members.find(fits) : [named].find(fits);
  if (found === undefined)
    throw new RefusedError(
      `${named === undefined ? `no other device of ${lv.vg} has` : `${named.path} has no`} space for a copy of ${lv.fullName}: the copy needs ${formatSize(lv.size)} and one more extent, on one device`,
      {
        code: 'no-space',
        remedy: `add a device: bofh lvm vg extend ${lv.vg} DEVICE; or make space on one: bofh lvm pv move DEVICE`,
      },
    );
  return toKnown(host, [device ?? found.path], [found]);
}

/** Returns the devices of the copy to remove: the copy on the named device, or the last one. */
export async function copyToDrop(
  host: ReadHost,
  of: VolumeAmong,
  device: string | undefined,
): Promise<KnownPv[]> {
  const { lv } = of;
  refuseUnsynced(lv, 'no copy was removed');
  const copies = await copiesOf(host, of);
  if (copies.length !== 2)
    throw new RefusedError(`${lv.fullName} has ${copies.length} copies: bofh removes only one of two`, {
      remedy: 'convert it with lvconvert --mirrors: man lvmraid',
    });
  const named = device === undefined ? undefined : (await pvOn(host, device)).uuid;
  const copy = named === undefined ? copies.at(-1) : copies.find(({ pvUuids }) => pvUuids.includes(named));
  if (copy === undefined)
    throw new RefusedError(`no copy of ${lv.fullName} is on ${device ?? ''}`, {
      remedy: `see where they are: lvs -a -o +devices ${lv.vg}`,
    });
  const members = present(await membersOf(host, lv.vgUuid));
  const own = members.filter(({ uuid }) => copy.pvUuids.includes(uuid));
  if (own.length !== copy.pvUuids.length)
    throw new RefusedError(`a device of that copy of ${lv.fullName} is missing`, {
      remedy: 'attach it, and make lvm see it: pvscan; then run the command again',
    });
  return toKnown(
    host,
    own.map(({ path }) => path),
    own,
  );
}

function present(all: readonly PhysicalVolume[]): readonly PresentPv[] {
  return all.flatMap(({ path, ...pv }) => (path === undefined ? [] : [{ ...pv, path }]));
}
