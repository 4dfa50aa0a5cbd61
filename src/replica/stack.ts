import type { ReadHost } from '../command/index.ts';
import { dataSize, deviceSizeFor } from '../drbd/index.ts';
import { usableVg } from '../lvm/index.ts';
import type { Bytes } from '../units.ts';
import { type Replicated, replicatedIn, smaller } from '../stack/replicated.ts';
import type { ResizeRequest } from '../stack/plan.ts';
import type { StackResized } from '../stack/resize.ts';
import { sizeFor } from './checks.ts';
import { AsLarge, type GrowPlan, planGrow } from './grow.ts';
import type { Members, Reachable } from './hosts.ts';
import { type Asked, membersOf, volumeAt } from './known.ts';

/** How the replicated disk of a stack becomes larger, on both its hosts. */
export interface ReplicatedPlan extends Replicated {
  /** Undefined: it is large enough already, as after a resize that ended between the disk and what lies on it. */
  readonly grow: GrowPlan | undefined;
  /** Where among its hosts this one is. */
  readonly own: number;
}

type Request = Parameters<typeof replicatedIn>[0] & Pick<Asked, 'on'>;

/** The two hosts that a resize changes; undefined: nothing in the stack is replicated, and it is this one alone. */
export async function membersOfStack(hosts: Reachable, request: Request): Promise<Members | undefined> {
  const found = await replicatedIn(request);
  return found && membersOfFound(hosts, found, request);
}

function membersOfFound(hosts: Reachable, { resource: name }: Replicated, { on }: Request): Promise<Members> {
  return membersOf(hosts, { name, ...(on === undefined ? {} : { on }) });
}

/** Undefined: nothing in the stack is replicated. All that can be refused of it is refused here, also of what lies on the disk. */
export async function planReplicated(
  hosts: Reachable,
  request: Request,
): Promise<ReplicatedPlan | undefined> {
  const found = await replicatedIn(request);
  if (found === undefined) return undefined;
  const { wanted, from, resource: name } = found;
  if (wanted !== 'max' && wanted <= from) {
    if (wanted < from && !(await isRounded(hosts.host, { ...found, wanted }))) throw smaller(name);
    return { ...found, grow: undefined, own: 0 };
  }
  const members = await membersOfFound(hosts, found, request);
  const grow = await planGrow({ members, name, size: wanted }).catch((error: unknown) => {
    if (wanted === 'max' && error instanceof AsLarge) return undefined;
    throw error;
  });
  if (grow !== undefined) found.refuse(grow.to);
  const own = grow?.hosts.findIndex(({ place }) => place === hosts.host.name) ?? 0;
  return { ...found, grow, own };
}

/** A disk that is larger than what is wanted by no more than its volume had to be rounded up. */
async function isRounded(
  host: ReadHost,
  { disk, from, wanted }: Pick<Replicated, 'disk' | 'from'> & { readonly wanted: Bytes },
): Promise<boolean> {
  const found = disk === undefined ? undefined : await volumeAt(host, disk);
  if (found === undefined) return false;
  const group = await usableVg(host, found.lv.vg);
  return dataSize(sizeFor([group], deviceSizeFor(wanted))) === from;
}

/** What has become of all layers: of the disk beneath on both hosts, and of what lies on it here. */
export function withReplica(
  { grow, at, path, own }: ReplicatedPlan,
  made: StackResized,
  to: ResizeRequest['to'],
): StackResized {
  if (grow === undefined) return made;
  const [disk, ...above] = made.layers.slice(at);
  const beneath = grow.hosts.map(({ vg, lv, name, now }) => ({
    title: `the logical volume ${vg}/${lv} on ${name}`,
    path: `/dev/${vg}/${lv}`,
    ...of(now, grow.lvSize),
  }));
  const layers = [
    ...beneath,
    { title: disk?.title ?? '', path, ...of(grow.from, disk?.to ?? grow.to) },
    ...above,
  ];
  const asked = made.asked < at ? own : made.asked - at + beneath.length;
  const { from = 0, to: got } = layers[asked] ?? {};
  const wanted = typeof to === 'string' ? got : 'size' in to ? to.size : from + to.by;
  const { granularity, warnings } = made;
  return {
    ...{ granularity, asked, warnings, layers },
    ...(wanted === undefined || wanted === got ? {} : { roundedFrom: wanted }),
  };
}

function of(from: Bytes, to: Bytes) {
  return { from, to, when: from === to ? ('unchanged' as const) : ('after the commit' as const) };
}
