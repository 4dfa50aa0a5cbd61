import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { RefusedError } from '../../errors.ts';
import { madeByHand } from '../by-hand.ts';
import { lvcreate, lvs } from '../commands.ts';
import { checkLvName, checkTag } from '../names.ts';
import { syncGroup, udevOf, usableVg } from '../reads.ts';
import { refuseFull, wantedExtents } from './extents.ts';
import { findMade, madeVolume, removeMade } from './made.ts';
import { refuseTaken } from './taken.ts';

const args = z.strictObject({
  vg: z.string(),
  name: z.string(),
  /** Rounded up to whole extents; or `extents` instead. */
  size: z.exactOptional(z.union([z.string(), z.number()])),
  /** So many, or a share of what is free or of the whole group, rounded down: `50%FREE`, `10%VG`. */
  extents: z.exactOptional(z.union([z.string(), z.number()])),
  tags: z.exactOptional(z.array(z.string())),
});

const undo = z.extend(madeVolume, {
  extents: z.number().check(z.int(), z.positive()),
  size: z.number().check(z.int(), z.positive()),
});

/**
 * Makes a linear logical volume, which bears a tag of its own step from its first moment. Undo removes the volume that
 * bears the tag, also when an administrator has renamed it; one whose tag was taken away is left alone.
 */
export const createLv = operation({
  kind: 'lvm.lv.create',
  version: 1,
  args,
  undo,
  result: z.strictObject({ uuid: z.string() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { vg: group, name, size, extents: count, tags = [] }, mark, host }) => {
    checkLvName(group, name);
    tags.forEach(checkTag);
    const extentsIn = wantedExtents(`${group}/${name}`, { size, count });
    const vg = await usableVg(host, group);
    await refuseTaken(host, vg, { name });
    const extents = extentsIn(vg);
    refuseFull(vg, { name, extents });
    return { vg: group, vgUuid: vg.uuid, name, tag: mark, extents, size: extents * vg.extentSize };
  },
  claims: ({ undo: { vg, name } }) => ({ makes: [`lv:${vg}/${name}`], needs: [`vg:${vg}`] }),
  contains: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  run: async ({ args: { tags = [] }, undo: { vg, vgUuid, name, extents, size, tag }, host }) => {
    const now = await usableVg(host, vg);
    if (now.uuid !== vgUuid)
      throw new RefusedError(`"${vg}" is another volume group by now; nothing was made`, {
        remedy: 'look at it (vgs -o vg_name,vg_uuid), then give the command again',
      });
    await host.run(lvcreate({ vg, name, extents, tags: [tag, ...tags], ...(await udevOf(host)) }));
    const made = (await host.run(lvs())).find((lv) => lv.vgUuid === vgUuid && lv.tags.includes(tag));
    if (made?.name !== name)
      throw new RefusedError(`lvcreate made no ${vg}/${name} that bears our mark`, {
        remedy: `look what is there: lvs -o lv_name,lv_uuid,lv_tags ${vg}`,
      });
    if (made.size !== size)
      throw new RefusedError(`${vg}/${name} has ${made.size} bytes instead of ${size}`, {
        remedy: `look at it: lvs --units b ${vg}/${name}`,
      });
    return { uuid: made.uuid };
  },
  value: ({ undo: { vg, name, size }, result: { uuid } }) => ({
    vg,
    name,
    path: `/dev/${vg}/${name}`,
    size,
    uuid,
  }),
  look: async ({ undo: of, result, host }) => (await findMade(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => removeMade(host, of, result?.uuid),
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: madeByHand,
});
