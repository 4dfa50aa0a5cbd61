import { inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { fullreport, pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import type { PhysicalVolume, WholeGroup } from '../objects.ts';

/** Returns the physical volumes of a group, including missing ones. */
export async function membersOf(host: ReadHost, vgUuid: string): Promise<readonly PhysicalVolume[]> {
  return (await reported(host, pvs())).filter(({ vg }) => vg?.uuid === vgUuid);
}

/**
 * Returns the matching group, whatever its name is now; undefined if there is none. RefusedError
 * while it is exported: it is moving to another host, and its content is unknown.
 */
export async function groupWhere(
  host: ReadHost,
  fits: (vg: WholeGroup) => boolean,
): Promise<WholeGroup | undefined> {
  const found = (await reported(host, fullreport())).filter(fits);
  const [vg, ...more] = found;
  if (more.length > 0)
    throw new RefusedError(
      `several volume groups have the same name, UUID or tag of bofh: ${found.map(({ name, uuid }) => `${name} (${uuid})`).join(' and ')}`,
      { remedy: 'see their tags: vgs -o vg_name,vg_uuid,vg_tags' },
    );
  if (vg?.exported !== true) return vg;
  throw new RefusedError(`the volume group "${vg.name}" is exported, so bofh cannot read its volumes`, {
    remedy: `vgimport ${vg.name}`,
  });
}

/**
 * RefusedError if the name of a new group is taken: by a group, or by a file or directory in /dev.
 */
export async function refuseGroupName(host: ReadHost, name: string): Promise<void> {
  const there = (await reported(host, fullreport())).find((vg) => vg.name === name);
  if (there !== undefined)
    throw new RefusedError(`there is a volume group "${name}" already (uuid ${there.uuid})`, {
      remedy: 'choose another name',
    });
  // "/dev/null: already exists in filesystem" (vgcreate 2.03.16, exit 3).
  const path = `/dev/${name}`;
  if ((await host.stat(path)) === undefined) return;
  throw new RefusedError(`${path} exists, although lvm has no volume group "${name}"`, {
    remedy: `choose another name; or see what it is: ls -ld ${inShell(path)}; then remove it`,
  });
}

/** RefusedError if a group has volumes, which would be removed with it. */
export function refuseVolumes({ name, volumes }: WholeGroup): void {
  const names = volumes.map(({ fullName }) => fullName);
  if (names.length === 0) return;
  throw new RefusedError(`the volume group ${name} has volumes: ${names.join(', ')}`, {
    remedy: `remove them first: ${volumes
      .filter(({ path }) => path !== undefined)
      .map(({ fullName }) => `lvremove ${fullName}`)
      .join('; ')}`,
    holders: names.map((volume) => ({ kind: 'volume', volume, words: `it has the volume ${volume}` })),
  });
}

/** RefusedError if a group has a device that the sequence did not add. */
export async function refuseDevicesOfOthers(
  host: ReadHost,
  { vg, own }: { readonly vg: WholeGroup; readonly own: readonly string[] },
): Promise<void> {
  const foreign = (await membersOf(host, vg.uuid)).filter(({ uuid }) => !own.includes(uuid));
  if (foreign.length === 0) return;
  const devices = foreign.map(({ path, uuid }) => path ?? uuid);
  throw new RefusedError(`others have added ${devices.join(' and ')} to the volume group ${vg.name}`, {
    remedy: `if they are not needed: vgreduce ${vg.name} ${devices.join(' ')}`,
  });
}

/**
 * RefusedError if not even one extent fits: lvm would add the device without a usable extent, and
 * exit with 0. The first MiB is for lvm itself.
 */
export function refuseTooSmall(
  { path, deviceSize }: { readonly path: string; readonly deviceSize: Bytes },
  extentSize: Bytes,
): void {
  if (deviceSize - 1024 ** 2 >= extentSize) return;
  throw new RefusedError(
    `${path} has ${formatSize(deviceSize)}: an extent of ${formatSize(extentSize)} does not fit on it`,
    { remedy: 'request smaller extents, or use a larger device' },
  );
}

/** Prefix of the names that objects have between their removal by a sequence and its commit. */
export function tombstonePrefix(mark: string): string {
  const id = /^bofh\.(?<id>[0-9a-z]+)\./.exec(mark)?.groups?.id ?? mark;
  return `bofh_gone_${id}_`;
}

/** Returns the name that an object has until the commit if this step removes it. */
export function tombstone(mark: string): string {
  return `${tombstonePrefix(mark)}${mark.split('.').at(-1) ?? ''}`;
}
