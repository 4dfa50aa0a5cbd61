import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../errors.ts';
import { formatSize, parseSize } from '../../units.ts';
import { madeByHand } from '../by-hand.ts';
import { lvcreate, lvremove, lvs } from '../commands.ts';
import { checkLvName, checkTag } from '../names.ts';
import {
  deactivateOrTell,
  dependentHolders,
  holdersOf,
  syncGroup,
  udevOf,
  usableVg,
  volumesOf,
} from '../reads.ts';
import type { LogicalVolume, VolumeGroup } from '../schema.ts';
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

const undo = z.strictObject({
  vg: z.string(),
  vgUuid: z.string(),
  name: z.string(),
  /** Our mark: given in the metadata commit that makes the volume. */
  tag: z.string(),
  extents: z.number().check(z.int(), z.positive()),
  size: z.number().check(z.int(), z.positive()),
});

type Undo = z.infer<typeof undo>;

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
    const extentsIn = wanted(`${group}/${name}`, { size, count });
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
  look: async ({ undo: of, result, host }) => (await find(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => {
    const { lv, all } = await find(host, of, result?.uuid);
    if (lv !== undefined) await remove(host, { lv, all, tag: of.tag });
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: madeByHand,
});

interface Found {
  readonly look: Look;
  readonly lv?: LogicalVolume;
  readonly all: readonly LogicalVolume[];
}

// By the tag, in the volume group of the uuid: names are anybody's. With a result the uuid must agree as well, for a
// tag can be copied; without one, two volumes with the tag cannot be told apart.
async function find(
  host: ReadHost,
  { vg, vgUuid, name, tag }: Undo,
  uuid: string | undefined,
): Promise<Found> {
  const all = await volumesOf(host, vgUuid);
  // Its disks may be back tomorrow, with our volume on them.
  if (all === undefined) {
    throw new RefusedError(
      `the volume group "${vg}" (uuid ${vgUuid}) is not there: what is in it cannot be told`,
      { remedy: 'bofh recover when it is back, or --abandon the journal when it was removed on purpose' },
    );
  }
  const marked = all.filter((lv) => lv.tags.includes(tag) && (uuid === undefined || lv.uuid === uuid));
  const [lv, ...more] = marked;
  if (more.length > 0) {
    throw new RefusedError(
      `${marked.map(({ fullName }) => fullName).join(' and ')} both bear the tag ${tag}`,
      {
        remedy: `take the tag off the one that is not ours: lvchange --deltag ${tag} VG/LV; then bofh recover`,
      },
    );
  }
  if (lv !== undefined) {
    const moved = lv.vg === vg && lv.name === name ? {} : { movedTo: `lv:${lv.fullName}` };
    return { look: { state: 'ours', holders: await holdersOf(host, { lv, all }), ...moved }, lv, all };
  }
  const foreign = all.find((other) => other.uuid === uuid || other.name === name);
  if (foreign === undefined) return { look: { state: 'gone' }, all };
  const found = `${foreign.fullName} (uuid ${foreign.uuid}) does not bear our mark`;
  return { look: { state: 'not-ours', found }, all };
}

async function remove(
  host: ChangeHost,
  {
    lv,
    all,
    tag,
  }: { readonly lv: LogicalVolume; readonly all: readonly LogicalVolume[]; readonly tag: string },
): Promise<void> {
  const holders = dependentHolders({ lv, all });
  if (holders.length > 0) {
    const names = holders.flatMap((each) => (each.kind === 'volume' ? [each.volume] : []));
    throw new RefusedError(`${lv.fullName} would take its snapshots along: ${names.join(', ')}`, {
      remedy: `lvremove ${names.join(' ')}`,
      holders,
    });
  }
  await deactivateOrTell(host, { lv, all });
  await host.run(lvremove({ vg: lv.vg, name: lv.name, uuid: lv.uuid, tag, ...(await udevOf(host)) }));
}

/** How many extents are asked for, of a group that is known only later. UsageError for what is no count. */
function wanted(
  what: string,
  {
    size,
    count,
  }: { readonly size: string | number | undefined; readonly count: string | number | undefined },
): (vg: VolumeGroup) => number {
  if ((size === undefined) === (count === undefined))
    throw new UsageError(`${what}: say either its size or its extents`);
  if (size !== undefined) {
    const bytes = parseSize(size);
    return ({ extentSize }) => Math.ceil(bytes / extentSize);
  }
  const { number, of } = /^(?<number>[1-9]\d{0,8})(?:%(?<of>FREE|VG))?$/.exec(String(count))?.groups ?? {};
  if (number === undefined || (of !== undefined && Number(number) > 100))
    throw new UsageError(`"${count}" is no count of extents: write for example 25, 50%FREE or 10%VG`);
  if (of === undefined) return () => Number(number);
  return (vg) => {
    const extents = Math.floor(((of === 'FREE' ? vg.freeExtents : vg.extents) * Number(number)) / 100);
    if (extents > 0) return extents;
    throw new RefusedError(`${count} of ${vg.name} is less than one extent of ${formatSize(vg.extentSize)}`, {
      remedy: 'ask for more, or add a device with vgextend',
    });
  };
}

function refuseFull(vg: VolumeGroup, { name, extents }: { name: string; extents: number }): void {
  if (extents <= vg.freeExtents) return;
  const count = (number: number): string => `${formatSize(number * vg.extentSize)} (${number} extents)`;
  throw new RefusedError(
    `${vg.name}/${name} needs ${count(extents)}; ${vg.name} has ${count(vg.freeExtents)} free`,
    { remedy: 'ask for less, or add a device with vgextend' },
  );
}
