import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { formatSize, parseSize } from '../../core/units.ts';
import { groupMadeRecovery } from '../manual-recovery-group.ts';
import { checkNewVgName, checkTag } from '../names.ts';
import { udevOf } from '../reads.ts';
import type { WholeGroup } from '../objects.ts';
import { vgcreate, vgremove } from '../vg-commands.ts';
import {
  groupWhere,
  refuseGroupName,
  refuseDevicesOfOthers,
  refuseTooSmall,
  refuseVolumes,
} from './groups.ts';
import {
  accountedFor,
  claimsOn,
  freePvsOn,
  knownPv,
  nodesOf,
  stillFree,
  syncPvs,
  toKnown,
} from './known-pvs.ts';
import { sizeOption } from '../../core/request.ts';

const args = z.strictObject({
  /** Name of the new volume group. */
  name: z.string(),
  /** Physical volumes in no group: `createPv` creates them. */
  devices: z.array(z.string().check(z.minLength(1))).check(z.minLength(1)),
  /** Size of an extent (default: 4 MiB, as for vgcreate). */
  extentSize: z.exactOptional(sizeOption),
  /** Tags of your own, without the `@`. */
  tags: z.exactOptional(z.array(z.string())),
});

const undo = z.strictObject({
  name: z.string(),
  /** Tag of the step: set in the metadata commit that creates the group. */
  tag: z.string(),
  extentSize: z.number().check(z.int(), z.positive()),
  pvs: z.array(knownPv),
});

type Undo = z.infer<typeof undo>;

/**
 * Creates a volume group of free physical volumes, with the tag of its step from the first moment.
 * Undo removes the group with the tag, even if an administrator has renamed it, but only while it
 * has no volume and no added device; its physical volumes are then free again.
 */
export const createVg = operation({
  kind: 'lvm.vg.create',
  version: 1,
  args,
  undo,
  result: z.strictObject({ uuid: z.string() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { name, devices, extentSize = '4m', tags = [] }, mark, host }) => {
    checkNewVgName(name);
    tags.forEach(checkTag);
    const extent = extentOf(extentSize);
    await refuseGroupName(host, name);
    const found = await freePvsOn(host, devices);
    for (const pv of found) refuseTooSmall(pv, extent);
    return { name, tag: mark, extentSize: extent, pvs: await toKnown(host, devices, found) };
  },
  claims: async ({ undo: { name, pvs }, on }) => ({ makes: [`vg:${name}`], ...(await claimsOn(pvs, on)) }),
  run: async ({ args: { tags = [] }, undo: { name, tag, extentSize, pvs }, host }) => {
    await refuseGroupName(host, name);
    await stillFree(host, pvs);
    const devices = await nodesOf(host, pvs);
    await host.run(vgcreate({ name, devices, extentSize, tags: [tag, ...tags], ...(await udevOf(host)) }));
    const made = await groupWhere(host, (vg) => vg.tags.includes(tag));
    if (made?.name !== name)
      throw new RefusedError(`vgcreate created no volume group ${name} with the tag of this step`, {
        remedy: 'see what is there: vgs -o vg_name,vg_uuid,vg_tags',
      });
    return { uuid: made.uuid };
  },
  value: ({ undo: { name, extentSize }, result: { uuid } }) => ({ name, uuid, extentSize }),
  look: async ({ undo: of, result, host }) => (await find(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => {
    const { vg } = await find(host, of, result?.uuid);
    if (vg !== undefined) await remove(host, of, vg);
  },
  // Finds the devices by their uuids, because after the undo no group names them.
  sync: async ({ undo: { pvs }, host }) => syncPvs(host, pvs),
  describe: groupMadeRecovery,
});

interface Found {
  readonly look: Look;
  readonly vg?: WholeGroup;
}

// Finds the group by the tag, because any group can have the name. With a result the uuid must
// match too, because a tag can be copied.
async function find(host: ReadHost, { name, tag, pvs }: Undo, uuid: string | undefined): Promise<Found> {
  const vg = await groupWhere(
    host,
    (one) => one.tags.includes(tag) && (uuid === undefined || one.uuid === uuid),
  );
  if (vg !== undefined) {
    const moved = vg.name === name ? {} : { movedTo: `vg:${vg.name}` };
    // Undo harms no other data, because it is refused while the group has a volume or an added
    // device.
    return { look: { state: 'ours', ...moved }, vg };
  }
  await accountedFor(host, { what: `the volume group ${name}`, pvs });
  const foreign = await groupWhere(host, (one) => one.name === name || one.uuid === uuid);
  if (foreign === undefined) return { look: { state: 'gone' } };
  return {
    look: {
      state: 'not-ours',
      found: `${foreign.name} (uuid ${foreign.uuid}) does not have the tag of this step`,
    },
  };
}

async function remove(host: ChangeHost, { pvs, tag }: Undo, vg: WholeGroup): Promise<void> {
  refuseVolumes(vg);
  await refuseDevicesOfOthers(host, { vg, own: pvs.map(({ uuid }) => uuid) });
  await host.run(vgremove({ name: vg.name, uuid: vg.uuid, tag, ...(await udevOf(host)) }));
}

const kib = 1024;

// vgcreate(8), --physicalextentsize: a power of 2 of at least one sector, or a multiple of 128 KiB.
// bofh assumes the largest sector, 4 KiB.
function extentOf(size: string | number): number {
  const bytes = parseSize(size);
  const isPower = Number.isInteger(Math.log2(bytes)) && bytes >= 4 * kib;
  if (isPower || (bytes > 0 && bytes % (128 * kib) === 0)) return bytes;
  throw new UsageError(
    `extents of ${formatSize(bytes)} are not possible: use a power of 2, at least 4 KiB, or a multiple of 128 KiB`,
  );
}
