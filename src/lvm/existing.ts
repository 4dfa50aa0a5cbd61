import { ensurable, incomparable } from '../atomic/ensure.ts';
import type { ReadHost } from '../command/index.ts';
import { parseSize } from '../core/units.ts';
import { isClassicSnapshot, isThinPool } from './filling.ts';
import { checkLvName } from './names.ts';
import type { LogicalVolume, WholeGroup } from './objects.ts';
import * as create from './operations.ts';
import { wantedExtents } from './operations/extents.ts';
import { layoutOf, ownExtents } from './operations/layouts.ts';
import { poolNamed } from './operations/pools.ts';
import { usableVg } from './reads.ts';

type Size = string | number | undefined;

interface Asked {
  readonly vg: string;
  readonly name: string;
  readonly size?: Size;
  readonly extents?: Size;
  readonly tags?: readonly string[];
}

async function volumeOf(
  host: ReadHost,
  { vg: group, name }: Asked,
): Promise<{ readonly vg: WholeGroup; readonly lv: LogicalVolume | undefined }> {
  checkLvName(group, name);
  const vg = await usableVg(host, group);
  return { vg, lv: vg.volumes.find((each) => each.name === name) };
}

/** Compares what both methods have in common. */
function common(
  { vg: group, name, size, extents: count, tags = [] }: Asked,
  { vg, lv }: { readonly vg: WholeGroup; readonly lv: LogicalVolume },
  layout?: ReturnType<typeof layoutOf>,
) {
  if (String(count).endsWith('%FREE'))
    throw incomparable(
      'extents',
      `%FREE depends on the free space of ${group}, which the existing volume has already reduced`,
    );
  const wanted = wantedExtents(`${group}/${name}`, { size, count })(vg);
  const extents = ownExtents(layout, wanted, String(count).includes('%') ? 'share' : 'count');
  return {
    what: `the logical volume ${group}/${name}`,
    keys: [`lv:${group}/${name}`, `vg:${group}`],
    show: `lvs -a -o +lv_tags ${group}/${name}`,
    compared: {
      kind: ['volume', isThinPool(lv) ? 'thin pool' : isClassicSnapshot(lv) ? 'snapshot' : 'volume'],
      size: [extents * vg.extentSize, lv.size],
      tags: [tags, tags.filter((tag) => lv.tags.includes(tag))],
    } as const,
  };
}

function refuseUnreadable(of: object, options: readonly string[]): void {
  for (const option of options)
    if (Object.hasOwn(of, option))
      throw incomparable(option, 'bofh cannot read this from an existing volume');
}

/**
 * Creates a logical volume, or does nothing if it exists. Compares size, pool and type, and
 * only the tags that are requested.
 */
export const createLv = ensurable(create.createLv, async (host, args) => {
  refuseUnreadable(args, ['stripes', 'stripeSize', 'mirrors', 'content']);
  const { vg, lv } = await volumeOf(host, args);
  if (lv === undefined) return undefined;
  const { type, pool: poolName } = args;
  const layout = layoutOf(`${args.vg}/${args.name}`, args);
  const { compared, ...found } = common(args, { vg, lv }, layout);
  const pool = lv.pool === undefined ? undefined : poolNamed(vg, lv.pool);
  const promised = vg.volumes.filter((each) => each.pool?.uuid === pool?.uuid);
  const types = ['linear', 'striped', 'raid1'];
  return {
    ...found,
    compared: {
      ...compared,
      type: [type, types.find((each) => lv.layout.includes(each)) ?? lv.layout.join(',')],
      pool: [poolName, lv.pool?.name],
    },
    value: {
      ...(pool === undefined
        ? {}
        : {
            pool: {
              name: pool.name,
              size: pool.size,
              promised: promised.reduce((sum, { size }) => sum + size, 0),
            },
          }),
      vg: args.vg,
      name: args.name,
      path: `/dev/${args.vg}/${args.name}`,
      size: lv.size,
      uuid: lv.uuid,
    },
  };
});

/**
 * Creates a thin pool, or does nothing if it exists. Compares size and metadataSize, and
 * only the tags that are requested.
 */
export const createThinPool = ensurable(create.createThinPool, async (host, args) => {
  refuseUnreadable(args, ['chunkSize']);
  const { vg, lv } = await volumeOf(host, args);
  if (lv === undefined) return undefined;
  const { compared, ...found } = common(args, { vg, lv });
  const { metadataSize = 0 } = lv;
  const asked =
    args.metadataSize === undefined
      ? undefined
      : Math.ceil(parseSize(args.metadataSize) / vg.extentSize) * vg.extentSize;
  return {
    ...found,
    what: `the thin pool ${args.vg}/${args.name}`,
    compared: {
      ...compared,
      kind: ['thin pool', compared.kind[1]],
      metadataSize: [asked, metadataSize],
    },
    value: { vg: args.vg, name: args.name, size: lv.size, metadataSize, uuid: lv.uuid },
  };
});
