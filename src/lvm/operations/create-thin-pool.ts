import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../../core/units.ts';
import { madeRecovery } from '../manual-recovery.ts';
import { isThinPool } from '../filling.ts';
import { checkLvName, checkTag } from '../names.ts';
import { syncGroup, udevOf, usableVg, volumesOf } from '../reads.ts';
import { lvcreatePool } from '../thin-commands.ts';
import { extents, refuseFull, wantedExtents } from './extents.ts';
import { findCreated, createdVolume, refuseOtherGroup, removeCreated } from './created-volume.ts';
import { checkMetadata, metadatas } from './pools.ts';
import { refuseTaken } from './refuse-taken.ts';
import { sizeOption as size } from '../../core/request.ts';

const bytes = z.number().check(z.int(), z.positive());

const args = z.strictObject({
  /** The existing volume group. */
  vg: z.string(),
  /** Name of the new pool in its group. */
  name: z.string(),
  /** Size of its data, rounded up to whole extents; or `extents`, as for `createLv`. */
  size: z.exactOptional(size),
  /** Size of its data in extents, or as a share: `50%FREE`. */
  extents: z.exactOptional(extents),
  /** Size of its metadata (default: chosen by LVM, 64 bytes for each chunk). */
  metadataSize: z.exactOptional(size),
  /** Allocation unit: a multiple of 64 KiB (default: 64 KiB, or more in a large pool). */
  chunkSize: z.exactOptional(size),
  /** Tags of your own, without the `@`. */
  tags: z.exactOptional(z.array(z.string())),
});

const undo = z.extend(createdVolume, { extents: bytes, size: bytes, metadataSize: bytes, chunkSize: bytes });

/**
 * Creates a thin pool with the tag of its step from the first moment, without a spare for its
 * metadata. Undo removes the pool with that tag, but not while it contains a volume.
 */
export const createThinPool = operation({
  kind: 'lvm.thinpool.create',
  version: 1,
  args,
  undo,
  result: z.strictObject({ uuid: z.string() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { vg: group, name, size, extents: count, tags = [], ...asked }, mark, host }) => {
    checkLvName(group, name);
    // The names of its parts are NAME_tdata and NAME_tmeta.
    checkLvName(group, `${name}-tdata`);
    tags.forEach(checkTag);
    const extentsIn = wantedExtents(`${group}/${name}`, { size, count });
    const [metadata, chunk] = [asked.metadataSize, asked.chunkSize].map((each) =>
      each === undefined ? undefined : parseSize(each),
    );
    const vg = await usableVg(host, group);
    await refuseTaken(host, vg, { name });
    const extents = extentsIn(vg);
    const data = extents * vg.extentSize;
    const chunkSize = chunk ?? usualChunk(data);
    refuseChunk(`${group}/${name}`, { chunkSize, data });
    const metadataExtents = Math.ceil(metadataIn({ metadata, data, chunkSize }) / vg.extentSize);
    refuseFull(vg, { name, extents: extents + metadataExtents });
    const sizes = { extents, size: data, metadataSize: metadataExtents * vg.extentSize, chunkSize };
    return { vg: group, vgUuid: vg.uuid, name, tag: mark, ...sizes };
  },
  claims: ({ undo: { vg, name } }) => ({ makes: [`lv:${vg}/${name}`], needs: [`vg:${vg}`] }),
  contains: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  run: async ({ args: { tags = [] }, undo: of, host }) => {
    await refuseOtherGroup(host, of);
    const { vg, vgUuid, name, extents, size: data, metadataSize, chunkSize, tag } = of;
    const all = { vg, name, extents, metadataSize, chunkSize, tags: [tag, ...tags] };
    await host.run(lvcreatePool({ ...all, ...(await udevOf(host)) }));
    const made = (await volumesOf(host, vgUuid))?.find((lv) => lv.tags.includes(tag));
    if (made?.name !== name || !isThinPool(made) || made.size !== data)
      throw new RefusedError(
        `lvcreate created no thin pool ${vg}/${name} of ${data} bytes with the tag of this step`,
        {
          remedy: `see what is there: lvs -a --units b -o lv_name,lv_uuid,lv_layout,lv_size,lv_tags ${vg}`,
        },
      );
    return { uuid: made.uuid };
  },
  value: ({ undo: { vg, name, size: data, metadataSize, chunkSize }, result: { uuid } }) => ({
    ...{ vg, name, size: data, metadataSize, chunkSize, uuid },
  }),
  look: async ({ undo: of, result, host }) => (await findCreated(host, of, result?.uuid)).look,
  revert: async ({ undo: of, result, host }) => removeCreated(host, of, result?.uuid),
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: madeRecovery,
});

const kib = 1024;
// Limits from lib/config/defaults.h and libdevmapper.h of 2.03.16.
const chunks = { least: 64 * kib, most: 1024 ** 3 } as const;
const usualMetadata = 256 * 1024 ** 2;

/**
 * Returns the chunk size that lvm chooses: doubled until the metadata has a reasonable size
 * (update_thin_pool_params).
 */
function usualChunk(data: Bytes): Bytes {
  let chunk: Bytes = chunks.least;
  while ((data / chunk) * 64 > usualMetadata && chunk < chunks.most) chunk *= 2;
  return chunk;
}

function refuseChunk(
  what: string,
  { chunkSize, data }: { readonly chunkSize: Bytes; readonly data: Bytes },
): void {
  if (chunkSize % chunks.least !== 0 || chunkSize > chunks.most)
    throw new UsageError(`${what}: chunks of ${formatSize(chunkSize)} are not possible`, {
      remedy: 'use a multiple of 64 KiB, at most 1 GiB',
    });
  if (chunkSize > data)
    throw new UsageError(`${what}: a chunk of ${formatSize(chunkSize)} is larger than the pool`);
  if ((data / chunkSize) * 64 > metadatas.most)
    throw new UsageError(
      `${what}: chunks of ${formatSize(chunkSize)} are too small for a pool of this size`,
      {
        remedy: 'use larger chunks, or let bofh choose',
      },
    );
}

function metadataIn(of: {
  readonly metadata: Bytes | undefined;
  readonly data: Bytes;
  readonly chunkSize: Bytes;
}): Bytes {
  if (of.metadata === undefined) return Math.max(metadatas.least, (of.data / of.chunkSize) * 64);
  return checkMetadata(of.metadata);
}
