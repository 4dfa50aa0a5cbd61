import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { layout } from '../layout.ts';
import { usableVg } from '../reads.ts';
import type { PhysicalVolume, WholeGroup } from '../objects.ts';
import { groupWhere, membersOf } from './groups.ts';
import { pvOn } from './physical.ts';
import { type KnownPv, type PresentPv, toKnown } from './known-pvs.ts';

/** A volume group that is there, as a caller names it. */
export const askedGroup = z.strictObject({
  vg: z.string(),
  /** Refused when the group of that name is another one by now. */
  uuid: z.exactOptional(z.string()),
});

/** A group as it was when it was journalled: its uuid tells it, the name is for people. */
export const knownGroup = z.strictObject({ vg: z.string(), vgUuid: z.string() });

export type KnownGroup = z.infer<typeof knownGroup>;

/** A group that can be changed, with its uuid when that was said. RefusedError when there is none, or another one. */
export async function groupNamed(
  host: ReadHost,
  { vg: name, uuid }: z.infer<typeof askedGroup>,
): Promise<WholeGroup> {
  const vg = await usableVg(host, name);
  if (uuid === undefined || uuid === vg.uuid) return vg;
  throw new RefusedError(`${name} is another volume group by now: its uuid is ${vg.uuid}, not ${uuid}`, {
    remedy: 'look at it (bofh lvm vg list), and name the group that is meant',
  });
}

/** The same group right before the act, under the name that it had. */
export async function sameGroup(host: ReadHost, { vg: name, vgUuid }: KnownGroup): Promise<WholeGroup> {
  const vg = await usableVg(host, name);
  if (vg.uuid === vgUuid) return vg;
  throw new RefusedError(`"${name}" is another volume group by now; nothing was done`, {
    remedy: 'look at it (vgs -o vg_name,vg_uuid), then give the command again',
  });
}

/** The group of that uuid, whatever it is called by now; undefined when it is not there. */
export async function findGroup(host: ReadHost, { vgUuid }: KnownGroup): Promise<WholeGroup | undefined> {
  return groupWhere(host, ({ uuid }) => uuid === vgUuid);
}

/** The physical volumes on these devices, which must be in this group and hold nothing of its volumes. */
export async function idleMembersOn(
  host: ReadHost,
  { vg, devices }: { readonly vg: WholeGroup; readonly devices: readonly string[] },
): Promise<readonly PresentPv[]> {
  const found: PresentPv[] = [];
  for (const device of devices) {
    const pv = await pvOn(host, device);
    if (pv.vg?.uuid !== vg.uuid)
      throw new RefusedError(
        `${device} is not in the volume group ${vg.name} (${pv.vg?.name ?? 'in none'})`,
        {
          remedy: 'bofh lvm pv list shows which device is in which group',
        },
      );
    found.push(pv);
  }
  await refuseUsed(host, vg, found);
  await refuseAll(host, { vg, leaving: found.map(({ uuid }) => uuid) });
  return found;
}

/** RefusedError when volumes have extents on one of these; they are named. */
export async function refuseUsed(
  host: ReadHost,
  { uuid: vgUuid }: WholeGroup,
  leaving: readonly PhysicalVolume[],
): Promise<void> {
  const used = leaving.filter(({ size, free }) => free < size);
  if (used.length === 0) return;
  const vg = (await host.run(layout())).groups.find(({ uuid }) => uuid === vgUuid);
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

/** RefusedError when nothing would be left of the group: lvm takes its last device out of no group. */
export async function refuseAll(
  host: ReadHost,
  { vg, leaving }: { readonly vg: WholeGroup; readonly leaving: readonly string[] },
): Promise<void> {
  const rest = (await membersOf(host, vg.uuid)).filter(({ uuid }) => !leaving.includes(uuid));
  if (rest.length > 0) return;
  throw new RefusedError(`${vg.name} has no other device: nothing would be left of it`, {
    remedy: `a group without volumes is removed as a whole: vgremove ${vg.name}`,
  });
}

/** What a step keeps of the devices of a group, as far as they are there. */
export async function presentMembers(host: ReadHost, { uuid }: WholeGroup): Promise<KnownPv[]> {
  const present = (await membersOf(host, uuid)).flatMap(({ path, ...pv }) =>
    path === undefined ? [] : [{ ...pv, path }],
  );
  const devices = present.map(({ path }) => path);
  return toKnown(host, devices, present);
}
