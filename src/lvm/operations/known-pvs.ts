import * as z from 'zod/mini';
import type { Claims, DeviceKeys } from '../../atomic/operation.ts';
import { deviceNode, identityOf, locate, recognise } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import type { PhysicalVolume } from '../objects.ts';
import { pvchange } from '../pv-commands.ts';
import { syncMembers, udevOf } from '../reads.ts';
import { pvOf, pvOn, pvUuidIn } from './physical.ts';

/** A physical volume whose device is present. */
export type PresentPv = PhysicalVolume & { readonly path: string };

/** A physical volume as journalled: the uuid identifies it, the path is only shown. */
export const knownPv = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  uuid: z.string(),
});

export type KnownPv = z.infer<typeof knownPv>;

/** Returns the journal data of the physical volumes on these devices. */
export async function toKnown(
  host: ReadHost,
  devices: readonly string[],
  found: readonly PresentPv[],
): Promise<KnownPv[]> {
  const known: KnownPv[] = [];
  for (const [index, { uuid, path }] of found.entries()) {
    const device = devices[index] ?? path;
    known.push({ device, identity: (await identityOf(host, device)).identity, uuid });
  }
  return known;
}

/** Returns the claims of a step that adds physical volumes to a group, or removes them from it. */
export async function claimsOn(
  known: readonly KnownPv[],
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Required<Pick<Claims, 'changes' | 'needs'>>> {
  const changes = known.map(({ uuid }) => `pv:${uuid}`);
  const needs: string[] = [];
  for (const { device } of known) {
    const { key, beneath } = await on(device);
    changes.push(key);
    needs.push(...beneath);
  }
  return {
    changes: [...new Set(changes)],
    needs: [...new Set(needs)].filter((key) => !changes.includes(key)),
  };
}

/**
 * Returns the physical volumes on these devices, which must be in no group. UsageError if one is
 * named twice.
 */
export async function freePvsOn(host: ReadHost, devices: readonly string[]): Promise<readonly PresentPv[]> {
  const found: PresentPv[] = [];
  for (const device of devices) {
    const pv = await pvOn(host, device);
    if (found.some(({ uuid }) => uuid === pv.uuid))
      throw new UsageError(`${device} is named twice: it is the physical volume ${pv.uuid}`);
    if (pv.vg !== undefined)
      throw new RefusedError(`${device} is in the volume group ${pv.vg.name} already (uuid ${pv.uuid})`, {
        remedy: `name another device; see those that are in no group: bofh lvm pv list`,
      });
    found.push(pv);
  }
  return found;
}

/**
 * Checks that each is still free and on the named device: the last check before lvm uses these
 * names.
 */
export async function stillFree(host: ReadHost, known: readonly KnownPv[]): Promise<void> {
  const now = await freePvsOn(
    host,
    known.map(({ device }) => device),
  );
  for (const [index, { device, uuid }] of known.entries())
    if (now[index]?.uuid !== uuid)
      throw new RefusedError(
        `${device} is another physical volume now (${now[index]?.uuid ?? 'none'}, not ${uuid}); nothing was done`,
        { remedy: 'see what it is: bofh lvm pv list; then run the command again' },
      );
}

/** Returns the paths for lvm: without symbolic links, as lvm lists them. */
export async function nodesOf(host: ReadHost, known: readonly KnownPv[]): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const { device } of known) paths.push((await deviceNode(host, device)).path);
  return paths;
}

/**
 * RefusedError unless the content of these devices is known: a group whose devices are all missing
 * may return tomorrow. It is enough that lvm sees one device, because each has the metadata of the
 * group. A device without a label is in no group.
 */
export async function accountedFor(
  host: ReadHost,
  { what, pvs: known }: { readonly what: string; readonly pvs: readonly KnownPv[] },
): Promise<void> {
  const all = await reported(host, pvs());
  if (known.some(({ uuid }) => all.some((pv) => pv.uuid === uuid && pv.path !== undefined))) return;
  for (const { device, identity, uuid } of known) {
    const path = await locate(host, { path: device, identity });
    if (path === undefined || pvUuidIn(await recognise(host, path)) !== uuid) continue;
    throw new RefusedError(
      `lvm does not see the physical volume ${uuid} on ${path}: whether ${what} is there is unknown`,
      {
        remedy: `see what lvm leaves out, and why: pvs --all; lvmconfig devices`,
      },
    );
  }
}

/**
 * Makes the metadata on the available devices durable: lvm bypasses the page cache, but not the
 * disk cache.
 */
export async function syncPvs(host: ChangeHost, known: readonly KnownPv[]): Promise<void> {
  const all = await reported(host, pvs());
  await syncMembers(
    host,
    all.filter(({ uuid }) => known.some((each) => each.uuid === uuid)),
  );
}

/**
 * Returns the physical volume that has extents of a group, or gets them back. RefusedError if its
 * device is missing, or if others have removed it from the group.
 */
export async function memberWith(
  host: ReadHost,
  uuid: string,
  { vg, vgUuid }: { readonly vg: string; readonly vgUuid: string },
): Promise<PresentPv> {
  const pv = await pvOf(host, uuid);
  const path = pv?.path;
  if (pv === undefined || path === undefined)
    throw new RefusedError(`the physical volume with the uuid ${uuid}, which was in ${vg}, is missing`, {
      remedy: 'attach its device, and make lvm see it: pvscan; then: bofh recover',
    });
  if (pv.vg?.uuid === vgUuid) return { ...pv, path };
  const out = pv.vg === undefined ? '' : `vgreduce ${pv.vg.name} ${path}; `;
  throw new RefusedError(
    `${path} (uuid ${uuid}) is not in the volume group ${vg} any more, but in ${pv.vg?.name ?? 'none'}`,
    { remedy: `add it again: ${out}vgextend ${vg} ${path}; then: bofh recover` },
  );
}

/**
 * Calls `work`, which allocates extents of a physical volume, also if an administrator has excluded
 * it from allocation (`pvchange --allocatable n`), for example to empty it: lvm would refuse.
 */
export async function whileAllocatable(
  host: ChangeHost,
  { path: device, allocatable }: PresentPv,
  work: () => Promise<void>,
): Promise<void> {
  if (allocatable) return work();
  const pv = { device, tags: [], ...(await udevOf(host)) };
  await host.run(pvchange({ ...pv, allocatable: true }));
  try {
    await work();
  } finally {
    await host.run(pvchange({ ...pv, allocatable: false }));
  }
}
