import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError, type ManualRecovery } from '../../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../../core/units.ts';
import { checkVgName } from '../names.ts';
import { syncGroup, udevOf, usableVg } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { lvextendPool } from '../thin-commands.ts';
import { refuseFull } from './extents.ts';
import { askedVolume, findKnown, knownVolume } from './known-volume.ts';
import { checkMetadata, poolNamed } from './pools.ts';
import { sizeOption } from '../../core/request.ts';
import { present } from '../../core/present.ts';
import { show } from '../manual-recovery.ts';

const size = z.exactOptional(sizeOption);

const args = z.extend(askedVolume, {
  /** New size of the data, rounded up to whole extents. Give this, or `metadataSize`, or both. */
  size,
  /** New size of the metadata, in bytes or as text: `1g`. */
  metadataSize: size,
});

const bytes = z.number().check(z.int(), z.positive());
const sizes = z.strictObject({ data: bytes, metadata: bytes });

const undo = z.extend(knownVolume, { from: sizes, to: sizes, extentSize: bytes });

type Undo = z.infer<typeof undo>;
type Sizes = z.infer<typeof sizes>;

/**
 * Extends a thin pool, its data or its metadata, after the commit: lvm can shrink neither again.
 * Its volumes may be in use. A full pool may be extended, and needs it most.
 */
export const resizeThinPool = deferred({
  kind: 'lvm.thinpool.resize',
  version: 1,
  args,
  undo,
  prepare: async ({ args: { vg: group, name, uuid, ...asked }, host }) => {
    checkVgName(group);
    const [data, metadata] = [asked.size, asked.metadataSize].map((each) =>
      each === undefined ? undefined : parseSize(each),
    );
    if (data === undefined && metadata === undefined)
      throw new UsageError(`${group}/${name}: pass the size of its data, of its metadata, or both`);
    if (metadata !== undefined) checkMetadata(metadata);
    const vg = await usableVg(host, group);
    const pool = poolNamed(vg, { name, ...present({ uuid }) });
    const from = sizesOf(pool);
    const whole = (wanted: Bytes): Bytes => Math.ceil(wanted / vg.extentSize) * vg.extentSize;
    const to = { data: whole(data ?? from.data), metadata: whole(metadata ?? from.metadata) };
    refuseSmaller(pool, { from, to });
    refuseFull(vg, { name, extents: missing(from, to) / vg.extentSize });
    return { vg: group, vgUuid: vg.uuid, lvUuid: pool.uuid, name, from, to, extentSize: vg.extentSize };
  },
  claims: ({ undo: { vg, name } }) => ({ changes: [`lv:${vg}/${name}`], needs: [`vg:${vg}`] }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const pool = (await findKnown(host, of))?.lv;
    if (pool === undefined || missing(sizesOf(pool), of.to) === 0) return { state: 'gone' };
    const moved = pool.vg === of.vg && pool.name === of.name ? {} : { movedTo: `lv:${pool.fullName}` };
    return { state: 'ours', ...moved };
  },
  afterCommit: async ({ undo: of, host }) => {
    const pool = (await findKnown(host, of))?.lv;
    if (pool === undefined) return;
    const vg = await sameGroup(host, of, pool);
    const now = sizesOf(pool);
    refuseFull(vg, { name: pool.name, extents: missing(now, of.to) / of.extentSize });
    const extents = now.data < of.to.data ? of.to.data / of.extentSize : undefined;
    const metadataSize = now.metadata < of.to.metadata ? of.to.metadata : undefined;
    const { name } = pool;
    await host.run(lvextendPool({ vg: vg.name, name, extents, metadataSize, ...(await udevOf(host)) }));
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: poolGrownRecovery,
});

function sizesOf({ size: data, metadataSize: metadata, fullName }: LogicalVolume): Sizes {
  if (metadata !== undefined) return { data, metadata };
  throw new RefusedError(`the size of the metadata of ${fullName} is unknown`, {
    remedy: `look at it: lvs -a -o +lv_layout,lv_metadata_size ${fullName}`,
  });
}

/**
 * Returns how many bytes of the group are still needed. Others, such as dmeventd, may have extended
 * the pool further: then nothing is left to do.
 */
function missing(now: Sizes, to: Sizes): Bytes {
  return Math.max(0, to.data - now.data) + Math.max(0, to.metadata - now.metadata);
}

function refuseSmaller(
  { fullName }: LogicalVolume,
  { from, to }: { readonly from: Sizes; readonly to: Sizes },
): void {
  for (const part of ['data', 'metadata'] as const)
    if (to[part] < from[part])
      throw new RefusedError(
        `${fullName} has ${part} of ${formatSize(from[part])}: lvm cannot shrink a thin pool`,
        { remedy: 'create a smaller pool, and copy the volumes of this pool' },
      );
}

async function sameGroup(host: ReadHost, { vgUuid }: Undo, { vg: name }: LogicalVolume): Promise<WholeGroup> {
  const vg = await usableVg(host, name);
  if (vg.uuid === vgUuid) return vg;
  throw new RefusedError(`another volume group is now named "${name}"`, {
    remedy: 'look at it: vgs -o vg_name,vg_uuid; then: bofh recover',
  });
}

/** Manual recovery of a pool that will be extended: extend it, or leave it as it is. */
function poolGrownRecovery({
  undo: { vg, name, lvUuid, from, to },
}: {
  readonly undo: {
    readonly vg: string;
    readonly name: string;
    readonly lvUuid: string;
    readonly from: { readonly data: number; readonly metadata: number };
    readonly to: { readonly data: number; readonly metadata: number };
  };
}): ManualRecovery {
  const said = (['data', 'metadata'] as const).filter((part) => to[part] > from[part]);
  const words = said.map((part) => `${part} from ${from[part]} to ${to[part]} bytes`);
  const spare = said.includes('metadata') ? '; the spare metadata volume of its group becomes as large' : '';
  const options = { data: '--size', metadata: '--poolmetadatasize' } as const;
  return {
    what: `the thin pool of uuid ${lvUuid}: ${vg}/${name}, which will be grown: ${words.join(', ')}${spare}`,
    look: [show(`lv_uuid=${lvUuid}`)],
    clear: [['lvextend', ...said.flatMap((part) => [options[part], `${to[part]}b`]), `${vg}/${name}`]],
  };
}
