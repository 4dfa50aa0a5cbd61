import type { GraphDevice } from '../blockdevice/graph.ts';
import type { Limits } from '../blockdevice/layer.ts';
import { dataSize } from '../drbd/index.ts';
import { resourceAt } from '../drbd/layer.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { type Chain, chainOf, type Link } from './chain.ts';
import { lowestFor, planResize, type ResizeRequest } from './plan.ts';
import { margin, refuseClosed, refuseKeyless, type StackResize } from './resize.ts';
import { option } from '../core/option.ts';

/** A replicated disk in a stack: it grows on both hosts before any layer on it does. */
export interface Replicated {
  readonly resource: string;
  /** Path of the device: `/dev/drbd0`. */
  readonly path: string;
  /** The layers below it on this host, from the lowest up. */
  readonly beneath: readonly { readonly title: string; readonly path: string; readonly size: Bytes }[];
  /** The index, among all layers, of the layer that gets the requested size. */
  readonly asked: number;
  readonly volume: number;
  readonly from: Bytes;
  /**
   * The size that the disk needs for the request, even if it is already larger; `max`: all the space of both
   * hosts.
   */
  readonly wanted: Bytes | 'max';
  /** Throws RefusedError if the layers on the disk could not follow to this size. */
  readonly refuse: (to: Bytes) => void;
}

type StackAsk = StackResize & { readonly to: ResizeRequest['to'] };

/**
 * The resource of the replicated disk in a stack, also while the content of the disk is closed;
 * undefined as for `replicatedIn`.
 */
export async function resourceIn(
  request: StackAsk,
): Promise<{ readonly name: string; readonly path: string } | undefined> {
  const found = await replicaIn(request);
  return found && { name: found.resource.name, path: found.replica.path };
}

/**
 * The replicated disk in a stack, and the size that it needs; undefined if there is none, or if it is not
 * resized.
 */
export async function replicatedIn(request: StackAsk): Promise<Replicated | undefined> {
  const seen = await replicaIn(request);
  if (seen === undefined) return undefined;
  const { chain, at, own, replica, resource, volume } = seen;
  refuseClosed(chain);
  const { name } = resource;
  const links = chain.links.slice(at);
  const parts = [{ title: own.title, limits: limitsOf(replica) }, ...links.slice(1)];
  const to = wantedOf(request, chain, at);
  if (to === 'min') throw cannotShrink(name);
  const asked = Math.max(0, chain.asked - at);
  return {
    ...{ resource: name, path: replica.path, from: replica.size, asked: chain.asked, volume },
    beneath: chain.links.slice(0, at).map((link) => ({
      ...{ title: link.title, path: link.at.device.path, size: link.limits.size },
    })),
    wanted: to === 'max' ? to : lowestFor({ asked, to, margin, chain: parts }),
    refuse: (size) =>
      refuseKeyless(request, links, planResize({ asked: 0, to: { size }, margin, chain: parts }).steps),
  };
}

async function replicaIn({ host, device, what }: StackAsk) {
  // Without a DRBD device there is no replicated disk: avoids the search for the layers.
  if (what === 'device' || !(await host.readDir('/sys/block')).some((name) => name.startsWith('drbd')))
    return undefined;
  const chain = await chainOf({ host, device, bare: false });
  const at = chain.links.findIndex((link) => replicaOf(link) !== undefined);
  const own = chain.links.slice(at)[0];
  const replica = own && replicaOf(own);
  if (at < 0 || own === undefined || replica === undefined) return undefined;
  const found = await resourceAt(own.at, replica);
  if (found === undefined)
    throw new RefusedError(`${replica.path} does not belong to a resource that is up`, {
      remedy: 'look at it: bofh drbd list',
    });
  const { resource, volume } = found;
  return { chain, at, own, replica, resource, volume: volume.volume };
}

/** The DRBD device of a layer: the layer is on it, or on the device below it. */
function replicaOf({ layer, at }: Link): GraphDevice | undefined {
  if (layer.name === 'drbd') return at.device;
  return layer.name === 'drbd-backing' ? at.above.find(({ kind }) => kind === 'drbd') : undefined;
}

/** The requested size of the replica. For a volume below it, the metadata takes a part of the size. */
function wantedOf({ to }: Pick<StackAsk, 'to'>, { links, asked }: Chain, at: number): ResizeRequest['to'] {
  if (asked >= at || typeof to === 'string') return to;
  const now = links[asked]?.limits.size ?? 0;
  return { size: dataSize('size' in to ? to.size : now + to.by) };
}

const why = 'DRBD cannot shrink a disk that is replicated to another host';

/** The error for a replicated disk that should shrink. */
export function cannotShrink(resource: string): RefusedError {
  return new RefusedError(why, {
    remedy: `remove DRBD: ${option(`bofh drbd remove ${resource} --keep-on HOST`, `drbd.remove with keepOn`)}; then resize the plain volume`,
  });
}

function limitsOf({ size }: GraphDevice): Limits {
  return {
    ...{ size, granularity: 4096, overhead: 0 },
    smallest: { size, why },
    grow: { may: true },
    shrink: { may: false, why },
  };
}
