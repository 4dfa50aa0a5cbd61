import * as z from 'zod/mini';
import { type Changed, operation } from '../../atomic/operation.ts';
import { blankChanged, partWitness, size } from '../../blockdevice/index.ts';
import { absolutePath } from '../../blockdevice/path.ts';
import { inShell, type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { madeRecovery } from '../manual-recovery.ts';
import { lvcreate } from '../lv-commands.ts';
import { fillFrom } from '../fill.ts';
import { refuseFullPool } from '../filling.ts';
import { checkLvName, checkTag } from '../names.ts';
import { syncGroup, udevOf, usableVg, volumesOf } from '../reads.ts';
import { lvcreateThin } from '../thin-commands.ts';
import { writeZeros } from '../zeros.ts';
import { extents, refuseFull, wantedExtents } from './extents.ts';
import { askedLayout, knownLayout, layoutOf, ownExtents, refuseFewDevices, takenExtents } from './layouts.ts';
import {
  findCreated,
  createdVolume,
  readablePath,
  refuseOtherGroup,
  removeCreated,
} from './created-volume.ts';
import { poolNamed } from './pools.ts';
import { refuseTaken } from './refuse-taken.ts';
import { sizeOption } from '../../core/request.ts';

const savedContent = z.strictObject({
  /** Absolute path of the file, compressed by zstd. */
  file: absolutePath,
  /** Bytes of the content. The volume may be larger: the rest is zeros. */
  size: z.int().check(z.positive()),
  /** SHA-256 of the content (default: it is not compared). */
  sha256: z.exactOptional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  /** Absolute path of the file with the secret key of age, if the file is encrypted. */
  identity: z.exactOptional(absolutePath),
});

const args = z.strictObject({
  /** The existing volume group. */
  vg: z.string(),
  /** Name of the new volume in its group. RefusedError `exists` if it is taken. */
  name: z.string(),
  /** Rounded up to whole extents; or `extents` instead. */
  size: z.exactOptional(sizeOption),
  /**
   * A count, or a share of the free extents or of the whole group, rounded down: `50%FREE`,
   * `10%VG`.
   */
  extents: z.exactOptional(extents),
  /** The thin pool of the volume: the size is then virtual, and may exceed the available space. */
  pool: z.exactOptional(z.string()),
  ...askedLayout,
  /**
   * `zeros` fills the whole volume with zeros: lvcreate itself zeroes only the first 4 KiB. Not for
   * a thin volume, which starts empty. Or a file of `tx.copy.save`, with the size and SHA-256 of
   * its content: the volume is filled from it, and read back.
   */
  content: z.exactOptional(
    z.union([z.literal('zeros'), savedContent], 'must be zeros, or the content of a volume'),
  ),
  /** Tags of your own, without the `@`. */
  tags: z.exactOptional(z.array(z.string())),
});

const undo = z.extend(createdVolume, {
  extents: z.number().check(z.int(), z.positive()),
  size: z.number().check(z.int(), z.positive()),
  layout: z.exactOptional(knownLayout),
  /** The file with its content. */
  from: z.exactOptional(z.string()),
  pool: z.exactOptional(
    z.strictObject({
      name: z.string(),
      uuid: z.string(),
      size: z.number(),
      /** The virtual sizes of all volumes in the pool, including this one. */
      promised: z.number(),
    }),
  ),
});

/**
 * Creates a linear, striped or mirrored logical volume, or a thin one in a pool. It has the tag of
 * its step from the first moment. Undo removes the volume with the tag, even if an administrator
 * has renamed it; a volume whose tag was removed is left untouched.
 */
export const createLv = operation({
  kind: 'lvm.lv.create',
  version: 1,
  args,
  undo,
  result: z.strictObject({ uuid: z.string() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({
    args: { vg: group, name, size: asked, extents: count, pool, content, tags = [], ...how },
    mark,
    host,
  }) => {
    checkLvName(group, name);
    tags.forEach(checkTag);
    if (content === 'zeros' && pool !== undefined)
      throw new UsageError(`${group}/${name}: a new thin volume is empty; leave out \`content\``);
    const extentsIn = wantedExtents(`${group}/${name}`, { size: asked, count });
    const layout = layoutOf(`${group}/${name}`, { ...how, pool });
    const vg = await usableVg(host, group);
    await refuseTaken(host, vg, { name });
    const extents = ownExtents(layout, extentsIn(vg), String(count).includes('%') ? 'share' : 'count');
    const size = extents * vg.extentSize;
    const from = await sourceOf(host, content, { fullName: `${group}/${name}`, size });
    const made = { vg: group, vgUuid: vg.uuid, name, tag: mark, extents, size, ...from };
    if (pool === undefined) {
      await refuseFewDevices(host, vg, layout);
      refuseFull(vg, { name, extents: takenExtents(layout, extents) });
      return layout === undefined ? made : { ...made, layout };
    }
    const found = poolNamed(vg, { name: pool });
    refuseFullPool(found, `the thin volume ${group}/${name}`);
    const inside = vg.volumes.filter((lv) => lv.pool?.uuid === found.uuid);
    const promised = inside.reduce((sum, lv) => sum + lv.size, made.size);
    return { ...made, pool: { name: pool, uuid: found.uuid, size: found.size, promised } };
  },
  claims: ({ undo: { vg, name, pool } }) => ({
    makes: [`lv:${vg}/${name}`],
    needs: [`vg:${vg}`, ...(pool === undefined ? [] : [`lv:${vg}/${pool.name}`])],
  }),
  contains: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  run: async ({
    args: { content, tags = [] },
    undo: { vg, vgUuid, name, extents, size, tag, pool, layout },
    host,
  }) => {
    const now = await refuseOtherGroup(host, { vg, vgUuid });
    const all = { vg, name, tags: [tag, ...tags], ...(await udevOf(host)) };
    if (pool === undefined) await host.run(lvcreate({ ...all, extents, layout }));
    else {
      refuseFullPool(poolNamed(now, pool), `the thin volume ${vg}/${name}`);
      await host.run(lvcreateThin({ ...all, pool: pool.name, size }));
    }
    const made = (await volumesOf(host, vgUuid))?.find((lv) => lv.tags.includes(tag));
    if (made?.name !== name)
      throw new RefusedError(`lvcreate created no ${vg}/${name} with the tag of this step`, {
        remedy: `see what is there: lvs -o lv_name,lv_uuid,lv_tags ${vg}`,
      });
    if (made.size !== size)
      throw new RefusedError(`${vg}/${name} has ${made.size} bytes instead of ${size}`, {
        remedy: `look at it: lvs --units b ${vg}/${name}`,
      });
    if (content === 'zeros') await writeZeros(host, made);
    else if (content !== undefined) await fillFrom(host, made, { content, isThin: pool !== undefined });
    return { uuid: made.uuid };
  },
  value: ({ undo: { vg, name, size, pool }, result: { uuid } }) => ({
    ...(pool === undefined ? {} : { pool: { name: pool.name, size: pool.size, promised: pool.promised } }),
    vg,
    name,
    path: `/dev/${vg}/${name}`,
    size,
    uuid,
  }),
  look: async ({ undo: of, result, host }) => (await findCreated(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => removeCreated(host, of, result?.uuid),
  content: {
    lost: 'undone',
    of: 'device',
    once: true,
    witness: async ({ undo: of, host }) => {
      const path = `/dev/${of.vg}/${of.name}`;
      return (await host.stat(path)) === undefined ? undefined : firstPart(host, path, of.size);
    },
    changed: async ({ undo: of, result, witness, touched, filled, host }) => {
      const path = await readablePath(host, of, result?.uuid);
      if (path === undefined || filled === 'now') return undefined;
      if (of.from !== undefined) {
        // An interrupted step has written a part of the content, which nothing can use yet.
        if (witness === undefined || touched || filled !== 'never') return undefined;
        return (await isAsCreated(host, path, { created: of.size, witness })) ? undefined : written(path);
      }
      // Content that later steps created in the volume and undid leaves bytes, but no signature.
      // The volume may have had another name then.
      const isNew = filled === 'never' && !touched;
      const changed = await blankChanged(host, path, isNew ? 'new' : 'used by the sequence');
      if (changed !== undefined || witness === undefined || !isNew) return changed;
      return (await isAsCreated(host, path, { created: of.size, witness })) ? undefined : written(path);
    },
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: madeRecovery,
});

/**
 * RefusedError if the file with the content is missing, or its content is larger than the volume.
 */
async function sourceOf(
  host: ReadHost,
  content: z.infer<typeof args>['content'],
  { fullName, size }: { readonly fullName: string; readonly size: Bytes },
): Promise<{ readonly from?: string }> {
  if (content === undefined || content === 'zeros') return {};
  const { file, size: bytes } = content;
  if ((await host.stat(file))?.kind !== 'file')
    throw new RefusedError(`there is no file ${file}`, {
      code: 'not-found',
      remedy: `look for it: ls -l ${inShell(file)}`,
    });
  await refuseExposed(host, file, 'there');
  if (bytes <= size) return { from: file };
  throw new UsageError(`${fullName} would have ${size} bytes, but the content of ${file} has ${bytes}`);
}

function written(path: string): Changed {
  return { found: `others wrote to ${path}`, fromBytes: true };
}

/**
 * Returns a digest of the size with which the volume was created: later steps may have resized it.
 */
async function firstPart(host: ReadHost, path: string, size: Bytes): Promise<string> {
  return partWitness(host, path, { from: 0, to: size });
}

async function isAsCreated(
  host: ReadHost,
  path: string,
  { created, witness }: { readonly created: Bytes; readonly witness: string },
): Promise<boolean> {
  const now = await size(host, path);
  if (now >= created) return (await firstPart(host, path, created)) === witness;
  const [start] = (await firstPart(host, path, now)).split('-');
  return start === witness.split('-')[0];
}
