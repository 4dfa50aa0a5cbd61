import { ParseError, RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import {
  fixed,
  type Layer,
  type LayerAt,
  type Limits,
  type May,
  type LayerFacts,
} from '../blockdevice/layer.ts';
import { type LaidOutGroup, type Layout, layout } from './layout.ts';
import { pvStarts } from './pv-commands.ts';
import { isThin, whyFullPool } from './filling.ts';
import { byLvm, roomFor, spreadAmong, unitOf, whyNotSmaller, whyNotSynced } from './spread.ts';
import type { LogicalVolume, PhysicalVolume } from './objects.ts';
import { dependents } from './reads.ts';
import { reported } from './unreadable.ts';

/** Returns the full layout, read once for all layers. */
export async function layoutOf({ host, once }: Pick<LayerAt, 'host' | 'once'>): Promise<Layout> {
  return once('lvm fullreport', () => reported(host, layout()));
}

/**
 * The part of `tx` that resizes a physical volume. The size counts from the start of the device.
 */
interface ResizingPv {
  readonly lvm: {
    readonly resizePv: (args: { readonly device: string; readonly size: Bytes }) => Promise<unknown>;
  };
}

/**
 * A physical volume on a device, in a group or not. Its resize does not change the volumes on it.
 */
export const physicalVolume: Layer<ResizingPv> = {
  name: 'lvm-pv',
  of: 'content',
  recognises: ({ content }) => content?.type === 'LVM2_member',
  title: () => 'LVM physical volume',
  tell: async (at) => {
    const { group, pv } = findPv(await layoutOf(at), at.content?.uuid);
    if (pv === undefined)
      return { unknown: ['lvm does not know this physical volume: it is filtered out, or incomplete'] };
    if (group === undefined) return { facts: [['group', 'none']] };
    const free = formatSize(pv.free);
    return {
      size: pv.size,
      overhead: at.device.size - pv.size,
      facts: [
        ['group', group.name],
        ['free', free],
        ...(pv.allocatable ? [] : [['allocatable', 'no'] as const]),
        ...(group.exported ? [['exported', 'yes'] as const] : []),
        ...(group.partial ? [['complete', 'no'] as const] : []),
      ],
    };
  },
  limits: async (at) => {
    const { group, pv } = findPv(await layoutOf(at), at.content?.uuid);
    if (pv === undefined || group === undefined)
      return fixed(at.device.size, 'it is in no volume group that lvm knows, and has no extents yet');
    const start = await startOf(at, pv.uuid);
    const may = mayChange(group);
    return {
      ...{ size: pv.size, granularity: group.extentSize, overhead: start },
      smallest: { size: usedEnd(group, pv.uuid), why: 'for the volumes that have extents on it' },
      ...{ grow: may, shrink: may },
    };
  },
  resize: async (tx, at, { size }) => {
    const uuid = at.content?.uuid ?? '';
    await tx.lvm.resizePv({ device: at.device.path, size: (await startOf(at, uuid)) + size });
    const { pv } = findPv(await reported(at.host, layout()), uuid);
    if (pv === undefined)
      throw new ParseError(`lvm no longer knows the physical volume on ${at.device.path}`);
    return { size: pv.size, when: 'now' };
  },
};

/** Offset of the first extent. */
async function startOf({ host, once }: Pick<LayerAt, 'host' | 'once'>, uuid: string): Promise<Bytes> {
  const start = (await once('pvs pe_start', () => host.run(pvStarts()))).get(uuid);
  if (start === undefined) throw new ParseError(`lvm does not say where the extents of ${uuid} begin`);
  return start;
}

/**
 * Returns the end of the last extent that a volume uses. lvm lists the runs of a device in order.
 */
function usedEnd({ runs, extentSize }: LaidOutGroup, pvUuid: string): Bytes {
  let [end, used] = [0, 0];
  for (const run of runs) {
    if (run.pvUuid !== pvUuid) continue;
    end += run.extents;
    if (run.lvUuid !== undefined) used = end;
  }
  return Math.max(1, used) * extentSize;
}

function mayChange({ exported, partial, writable, name }: LaidOutGroup): May {
  return exported || partial || !writable
    ? { may: false, why: `the volume group ${name} is exported, read-only or not complete` }
    : { may: true };
}

/** The part of `tx` that resizes a volume. */
interface Resizing {
  readonly lvm: {
    readonly resizeLv: (args: {
      readonly vg: string;
      readonly name: string;
      readonly uuid: string;
      readonly size: Bytes;
      readonly shrink?: 'lose the data beyond the new size';
    }) => Promise<{ readonly size: Bytes }>;
  };
}

/** An active logical volume. */
export const logicalVolume: Layer<Resizing> = {
  name: 'lvm-lv',
  of: 'device',
  recognises: ({ device }) => device.kind === 'volume',
  title: () => 'logical volume',
  tell: async (at) => factsOfVolume(await layoutOf(at), at.device.uuid),
  limits: async (at) => {
    const found = findVolume(await layoutOf(at), at.device.uuid);
    return found === undefined ? fixed(at.device.size, 'lvm does not know it') : limitsOf(found);
  },
  // The layer above is smaller already. The step itself checks that nothing reaches beyond the new
  // size.
  resize: async (tx, at, { size, direction }) => {
    const found = findVolume(await layoutOf(at), at.device.uuid);
    if (found === undefined)
      throw new RefusedError(`lvm does not know ${at.device.path}`, {
        remedy: 'look at it: lvs; dmsetup info',
      });
    const { vg, name, uuid } = found.lv;
    const consent = direction === 'shrink' ? ({ shrink: 'lose the data beyond the new size' } as const) : {};
    const made = await tx.lvm.resizeLv({ vg, name, uuid, size, ...consent });
    return { size: made.size, when: 'now' };
  },
};

function limitsOf({ lv, group }: { readonly lv: LogicalVolume; readonly group: LaidOutGroup }): Limits {
  if (isThin(lv)) return limitsOfThin(lv, group);
  const spread = spreadAmong(group, lv);
  const granularity = unitOf(spread, group.extentSize);
  const free = group.devices
    .filter(({ allocatable, path }) => allocatable && path !== undefined)
    .map((pv) => pv.free);
  const may = mayResize(lv, group);
  const refused = (not: { readonly why: string; readonly remedy: string } | undefined): May =>
    may.may && not !== undefined ? { may: false, ...not } : may;
  return {
    ...{ size: lv.size, granularity, overhead: 0 },
    smallest: { size: granularity, why: 'which is one extent' },
    largest: {
      size: lv.size + roomFor(spread, free, granularity),
      why: `all that is free in ${group.name}`,
      remedy: `add a device: bofh lvm vg extend ${group.name} DEVICE`,
    },
    grow: spread?.type === 'raid1' ? refused(whyNotSynced(lv)) : may,
    shrink: spread === undefined ? may : refused(whyNotSmaller(lv, spread.type)),
  };
}

/**
 * Returns the limits of a thin volume. It has no maximum, because its size does not depend on that
 * of its pool. As in lvm, growing is refused if the pool is full, but not if the volumes together
 * exceed the pool.
 */
function limitsOfThin(
  lv: LogicalVolume & { readonly pool: NonNullable<LogicalVolume['pool']> },
  group: LaidOutGroup,
): Limits {
  const pool = group.volumes.find(({ uuid }) => uuid === lv.pool.uuid);
  if (pool === undefined) return fixed(lv.size, `lvm does not show its pool ${lv.pool.name}`);
  const origin = group.volumes.find(({ uuid }) => uuid === lv.origin?.uuid);
  if (lv.origin !== undefined && origin?.pool?.uuid !== pool.uuid)
    return fixed(lv.size, `its origin ${lv.origin.name} is outside its pool`, byLvm(lv));
  if (lv.merging) return fixed(lv.size, 'it is being merged');
  const others = group.volumes.filter((each) => each.pool?.uuid === pool.uuid && each.uuid !== lv.uuid);
  const promised = others.reduce((sum, { size }) => sum + size, 0);
  const may = mayChange(group);
  const full = whyFullPool(pool);
  return {
    ...{ size: lv.size, granularity: group.extentSize, overhead: 0 },
    smallest: { size: group.extentSize, why: 'which is one extent' },
    backed: {
      size: Math.max(0, pool.size - promised),
      why: `the volumes in the pool ${pool.fullName} (${formatSize(pool.size)}) then need more space than the pool has: watch its usage`,
    },
    grow: may.may && full !== undefined ? { may: false, ...full } : may,
    shrink: may,
  };
}

/**
 * Returns whether bofh may resize a volume. One with copies, parts or dependents needs lvm's own
 * tools.
 */
function mayResize(lv: LogicalVolume, group: LaidOutGroup): May {
  const ofGroup = mayChange(group);
  if (!ofGroup.may) return ofGroup;
  if (lv.origin !== undefined && lv.pool === undefined)
    return {
      may: false,
      why: `it is a snapshot of ${lv.origin.name}: its size is the space for changed blocks`,
      remedy: `to give it more space: bofh lvm resize ${lv.fullName} +SIZE`,
    };
  const copies = dependents(lv, group.volumes);
  if (copies.length > 0)
    return {
      ...{ may: false, why: `it has snapshots (${copies.map(({ name }) => name).join(', ')})` },
      remedy: `remove them first: ${copies.map(({ fullName }) => `bofh lvm remove ${fullName}`).join('; ')}`,
    };
  if (lv.layout.join() !== 'linear' && spreadAmong(group, lv) === undefined)
    return {
      may: false,
      why: `it is a ${lv.layout.join(' ')} volume: bofh resizes linear and thin volumes, and grows striped and raid1 volumes`,
      remedy: byLvm(lv),
    };
  return { may: true };
}

function factsOfVolume(known: Layout, dmUuid: string | undefined): LayerFacts {
  const found = findVolume(known, dmUuid);
  if (found === undefined) return { unknown: ['lvm does not know this volume'] };
  const { lv, group } = found;
  const plain = lv.layout.join() === 'linear' && lv.role.join() === 'public';
  return {
    size: lv.size,
    facts: [
      ['extent', formatSize(group.extentSize)],
      ...(plain
        ? []
        : [['layout', [...lv.layout, ...lv.role.filter((role) => role !== 'public')].join(' ')] as const]),
      ...(lv.origin === undefined ? [] : [['snapshot of', lv.origin.name] as const]),
      ...(lv.pool === undefined ? [] : [['pool', lv.pool.name] as const]),
    ],
  };
}

interface Found {
  readonly lv: LogicalVolume;
  readonly group: LaidOutGroup;
}

/** The volumes of a layout by their device-mapper uuid without hyphens: `LVM` and both uuids. */
const byDmUuid = new WeakMap<Layout, ReadonlyMap<string, Found>>();

/** Finds a volume by its device-mapper uuid. */
export function findVolume(known: Layout, dmUuid: string | undefined): Found | undefined {
  let volumes = byDmUuid.get(known);
  if (volumes === undefined) {
    const all = known.groups.flatMap((group) => group.volumes.map((lv) => ({ lv, group })));
    volumes = new Map(all.map((each) => [`LVM${each.group.uuid}${each.lv.uuid}`.replaceAll('-', ''), each]));
    byDmUuid.set(known, volumes);
  }
  return dmUuid === undefined ? undefined : volumes.get(dmUuid.replaceAll('-', ''));
}

function findPv(
  { groups, alone }: Layout,
  uuid: string | undefined,
): { readonly group: LaidOutGroup | undefined; readonly pv: PhysicalVolume | undefined } {
  for (const group of groups) {
    const pv = group.devices.find((device) => device.uuid === uuid);
    if (pv !== undefined) return { group, pv };
  }
  return { group: undefined, pv: alone.find((device) => device.uuid === uuid) };
}

/**
 * Returns the volumes without a device in the kernel, with the uuids of the physical volumes of
 * their extents.
 */
export function inactiveVolumes({ groups }: Layout): readonly {
  readonly lv: LogicalVolume;
  readonly group: LaidOutGroup;
  /** Empty if the volume has no extents itself (a thin volume, or a raid, whose legs have them). */
  readonly on: readonly string[];
}[] {
  return groups.flatMap((group) =>
    group.volumes
      .filter(({ active, path }) => active !== true && path !== undefined)
      .map((lv) => {
        const own = group.runs.filter(({ lvUuid }) => lvUuid === lv.uuid).map(({ pvUuid }) => pvUuid);
        return { lv, group, on: [...new Set(own)] };
      }),
  );
}
