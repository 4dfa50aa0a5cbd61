import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { layout } from '../layout.ts';
import { usableVg } from '../reads.ts';
import { reported } from '../unreadable.ts';
import type { PhysicalVolume, WholeGroup } from '../objects.ts';
import { groupWhere, membersOf } from './groups.ts';
import { pvOn } from './physical.ts';
import { type KnownPv, type PresentPv, toKnown } from './known-pvs.ts';

/** An existing volume group, as a caller names it. */
export const askedGroup = z.strictObject({
  /** The existing volume group. */
  vg: z.string(),
  /** UUID of the group. Refused if the name now names another group. */
  uuid: z.exactOptional(z.string()),
});

/** A group as journalled: the uuid identifies it, the name is only shown. */
export const knownGroup = z.strictObject({ vg: z.string(), vgUuid: z.string() });

export type KnownGroup = z.infer<typeof knownGroup>;

/**
 * Returns a group that can be changed, checked by uuid if given. RefusedError if it is missing or
 * another one.
 */
export async function groupNamed(
  host: ReadHost,
  { vg: name, uuid }: z.infer<typeof askedGroup>,
): Promise<WholeGroup> {
  const vg = await usableVg(host, name);
  if (uuid === undefined || uuid === vg.uuid) return vg;
  throw new RefusedError(`another volume group is now named "${name}": its uuid is ${vg.uuid}, not ${uuid}`, {
    remedy: 'look at it: bofh lvm vg list; then name the right group',
  });
}

/** Returns the journalled group, checked right before the act, under its previous name. */
export async function sameGroup(host: ReadHost, { vg: name, vgUuid }: KnownGroup): Promise<WholeGroup> {
  const vg = await usableVg(host, name);
  if (vg.uuid === vgUuid) return vg;
  throw new RefusedError(`another volume group is now named "${name}"; nothing was done`, {
    remedy: 'look at it: vgs -o vg_name,vg_uuid; then run the command again',
  });
}

/** Returns the group with that uuid, whatever its name is now; undefined if it does not exist. */
export async function findGroup(host: ReadHost, { vgUuid }: KnownGroup): Promise<WholeGroup | undefined> {
  return groupWhere(host, ({ uuid }) => uuid === vgUuid);
}

/**
 * Returns the physical volumes on these devices. They must be in this group and have no used
 * extents.
 */
export async function idleMembersOn(
  host: ReadHost,
  { vg, devices }: { readonly vg: WholeGroup; readonly devices: readonly string[] },
): Promise<readonly PresentPv[]> {
  const found: PresentPv[] = [];
  for (const device of devices) {
    const pv = await pvOn(host, device);
    if (pv.vg?.uuid !== vg.uuid)
      throw new RefusedError(
        `${device} is not in the volume group ${vg.name}, but in ${pv.vg?.name ?? 'none'}`,
        {
          remedy: 'see which device is in which group: bofh lvm pv list',
        },
      );
    found.push(pv);
  }
  await refuseUsed(host, vg, found);
  await refuseAll(host, { vg, leaving: found.map(({ uuid }) => uuid) });
  return found;
}

/** RefusedError, naming the volumes, if volumes have extents on one of these physical volumes. */
export async function refuseUsed(
  host: ReadHost,
  { uuid: vgUuid }: WholeGroup,
  leaving: readonly PhysicalVolume[],
): Promise<void> {
  const used = leaving.filter(({ size, free }) => free < size);
  if (used.length === 0) return;
  const vg = (await reported(host, layout())).groups.find(({ uuid }) => uuid === vgUuid);
  const names = used.flatMap((pv) =>
    (vg?.runs ?? []).flatMap(({ pvUuid, lvUuid }) =>
      pvUuid === pv.uuid && lvUuid !== undefined
        ? (vg?.volumes.find(({ uuid }) => uuid === lvUuid)?.fullName ?? lvUuid)
        : [],
    ),
  );
  const volumes = [...new Set(names)];
  const devices = used.map(({ path, uuid }) => path ?? uuid);
  throw new RefusedError(
    `volumes have extents on ${devices.join(' and ')}: ${volumes.join(', ') || 'lvm does not say which'}`,
    {
      remedy: `move them: ${devices.map((device) => `pvmove ${device}`).join('; ')}; or remove them`,
      holders: volumes.map((volume) => ({
        kind: 'volume',
        volume,
        words: `it has extents of ${volume}`,
      })),
    },
  );
}

/** RefusedError if no device would remain: lvm refuses to remove the last device of a group. */
export async function refuseAll(
  host: ReadHost,
  { vg, leaving }: { readonly vg: WholeGroup; readonly leaving: readonly string[] },
): Promise<void> {
  const rest = (await membersOf(host, vg.uuid)).filter(({ uuid }) => !leaving.includes(uuid));
  if (rest.length > 0) return;
  throw new RefusedError(`${vg.name} has no other device, and a group cannot be without devices`, {
    remedy: `a group without volumes can be removed: vgremove ${vg.name}`,
  });
}

/** Returns the journal data of the available devices of a group. */
export async function presentMembers(host: ReadHost, { uuid }: WholeGroup): Promise<KnownPv[]> {
  const present = (await membersOf(host, uuid)).flatMap(({ path, ...pv }) =>
    path === undefined ? [] : [{ ...pv, path }],
  );
  const devices = present.map(({ path }) => path);
  return toKnown(host, devices, present);
}
