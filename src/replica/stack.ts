import { dataSize, deviceSizeFor } from '../drbd/index.ts';
import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { usableVg } from '../lvm/index.ts';
import type { Bytes } from '../core/units.ts';
import { type Replicated, replicatedIn, resourceIn, cannotShrink } from '../stack/replicated.ts';
import type { ResizeRequest } from '../stack/plan.ts';
import type { StackResized } from '../stack/resize.ts';
import { sizeFor } from './checks.ts';
import { AsLarge, type GrowPlan, planGrow } from './grow.ts';
import type { Member, Members, Reachable } from './hosts.ts';
import { type Asked, membersOf, ownMember, partsOf, volumeAt } from './known-resource.ts';
import { present } from '../core/present.ts';

/** How the replicated disk of a stack grows, on both its hosts. */
export interface ReplicatedPlan extends Replicated {
  /**
   * Undefined if the disk is already large enough, for example after a resize that was interrupted above the
   * disk.
   */
  readonly grow: GrowPlan | undefined;
  /** The index of this host among its hosts. */
  readonly own: number;
  /** The extent size in bytes, if the size was rounded to whole extents of the volumes below. */
  readonly step: Bytes | undefined;
  /** The device below all following layers: the disk itself, if the named device is below the disk. */
  readonly device: string;
}

type Request = Parameters<typeof replicatedIn>[0] & Pick<Asked, 'on'>;

/** The two hosts that a resize changes; undefined if no layer is replicated, so that only this host changes. */
export async function membersOfStack(hosts: Reachable, request: Request): Promise<Members | undefined> {
  const found = await resourceIn(request);
  return found && membersOfFound(hosts, found, request);
}

/**
 * The two hosts of the disk. Throws RefusedError if this host is not one of them: then it is another disk
 * with the same name.
 */
async function membersOfFound(
  hosts: Reachable,
  { name, path }: { readonly name: string; readonly path: string },
  { on }: Request,
): Promise<Members> {
  const members = await membersOf(hosts, { name, ...present({ on }) });
  if (members.some(({ place }) => place === hosts.host.name)) return members;
  const [own] = await ownMember(hosts);
  throw new RefusedError(
    `${path} is a disk on this host, ${own.name}, but the named hosts are ${members.map((each) => each.name).join(' and ')}`,
    { remedy: `name this host and its peer: ${option('--on HOST,HOST', "on: ['HOST', 'HOST']")}` },
  );
}

/**
 * Plans the resize of a stack with a replicated disk; undefined if there is none. Makes all checks, also
 * those of the layers above the disk.
 */
export async function planReplicated(
  hosts: Reachable,
  request: Request,
): Promise<ReplicatedPlan | undefined> {
  const found = await replicatedIn(request);
  if (found === undefined) return undefined;
  const { wanted, from, resource: name, path } = found;
  const plan = { ...found, device: found.beneath.length > 0 ? path : request.device };
  if (wanted !== 'max' && wanted <= from) {
    const step = wanted < from ? await roundedTo(hosts, { ...found, wanted }, request) : undefined;
    if (wanted < from && step === undefined) throw cannotShrink(name);
    return { ...plan, grow: undefined, own: 0, step };
  }
  const members = await membersOfFound(hosts, { name, path }, request);
  const grow = await planGrow({ members, name, size: wanted }).catch((error: unknown) => {
    if (wanted === 'max' && error instanceof AsLarge) return undefined;
    throw error;
  });
  if (grow !== undefined) found.refuse(grow.to);
  const own = members.findIndex(({ place }) => place === hosts.host.name);
  return { ...plan, grow, own, step: grow?.step };
}

type Rounded = Replicated & { readonly wanted: Bytes };

/**
 * The extent size to which the size of a disk was rounded up; undefined if the disk is larger than requested
 * for another reason. Asks the other host only if the extents of this host do not explain the size.
 */
async function roundedTo(hosts: Reachable, found: Rounded, request: Request): Promise<Bytes | undefined> {
  const { resource: name, path } = found;
  return (
    (await stepOf(await ownMember(hosts), found)) ??
    (await stepOf(await membersOfFound(hosts, { name, path }, request), found))
  );
}

async function stepOf(
  members: readonly Member[],
  { resource: name, volume, from, wanted }: Rounded,
): Promise<Bytes | undefined> {
  const groups: { readonly extentSize: Bytes }[] = [];
  for (const { host, resource } of await partsOf(members, name)) {
    const disk = resource.here.volumes.find((each) => each.volume === volume)?.disk;
    const found = disk === undefined ? undefined : await volumeAt(host, disk);
    if (found === undefined) return undefined;
    groups.push(await usableVg(host, found.lv.vg));
  }
  return dataSize(sizeFor(groups, deviceSizeFor(wanted))) === from ? sizeFor(groups, 1) : undefined;
}

/** The result for all layers: the disk on both hosts, and the layers on it on this host. */
export function withReplica(
  { grow, path, own, step, ...plan }: ReplicatedPlan,
  made: StackResized,
  to: ResizeRequest['to'],
): StackResized {
  const [disk, ...above] = made.layers;
  const beneath =
    grow === undefined
      ? plan.beneath.map(({ size, ...each }) => ({ ...each, ...of(size, size) }))
      : grow.hosts.map(({ vg, lv, name, now }) => ({
          title: `the logical volume ${vg}/${lv} on ${name}`,
          path: `/dev/${vg}/${lv}`,
          ...of(now, grow.lvSize),
        }));
  const size = disk?.to ?? plan.from;
  const layers = [...beneath, { title: disk?.title ?? '', path, ...of(plan.from, size) }, ...above];
  const isBeneath = plan.beneath.length > 0;
  const asked = !isBeneath ? made.asked + beneath.length : grow === undefined ? plan.asked : own;
  const { from = 0, to: got } = layers[asked] ?? {};
  const wanted = typeof to === 'string' ? got : 'size' in to ? to.size : from + to.by;
  const { granularity, warnings } = made;
  return {
    ...{ granularity: step ?? granularity, asked, warnings, layers },
    ...(wanted === undefined || wanted === got ? {} : { roundedFrom: wanted }),
  };
}

function of(from: Bytes, to: Bytes) {
  return { from, to, when: from === to ? ('unchanged' as const) : ('after the commit' as const) };
}
