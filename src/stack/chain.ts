import { deviceGraph, type GraphDevice, graphName } from '../blockdevice/graph.ts';
import { sizeOfMedium } from '../blockdevice/index.ts';
import { fixed, type Layer, type LayerAt, type Limits } from '../blockdevice/layer.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { allLayers, layerFor } from '../layers.ts';
import type { Tx } from '../operations.ts';
import { probed } from './content.ts';
import { memory, nameOf } from './tree.ts';

/** One layer of a chain, with its position and its size limits. */
export interface Link {
  readonly layer: Layer<Tx>;
  readonly at: LayerAt;
  /** Text for messages: `the logical volume vg0/web1`. */
  readonly title: string;
  readonly limits: Limits;
}

/** A device with all layers on it, starting with the lowest layer that has a size of its own. */
export interface Chain {
  readonly links: readonly Link[];
  /** The index of the named device. */
  readonly asked: number;
  /** The container that must be opened to see the layers above; missing if the chain is complete. */
  readonly closed?: { readonly device: GraphDevice; readonly layer: string; readonly remedy: string };
}

/** The device whose chain is wanted. `bare`: the device alone, whatever its content. */
export interface ChainRequest {
  readonly host: ReadHost;
  readonly device: string;
  readonly bare: boolean;
}

/**
 * Finds the chain of a device: a disk, partition, array or volume at the bottom, containers, and
 * the content of the innermost.
 */
export async function chainOf({ host, device, bare }: ChainRequest): Promise<Chain> {
  await sizeOfMedium(host, device);
  const graph = await deviceGraph(host);
  const name = await graphName(host, device);
  const look: Look = { host, graph, layers: await allLayers(), once: memory() };
  const lowest = bottomOf(look, deviceNamed(look, name));
  if (bare && lowest.name !== name)
    throw new RefusedError(`${device} is inside ${lowest.path}, which determines its size`, {
      remedy: `resize ${lowest.path} instead, or leave out ${option('--bare', "what: 'device'")}`,
    });
  const links = [await deviceLink(look, lowest)];
  if (bare) return { links, asked: 0 };
  let current = lowest;
  let asked = 0;
  for (;;) {
    const { link, offers } = await contentLink(look, current, lowest);
    if (offers === 'closed') {
      const remedy = (await link.layer.toOpen?.(link.at)) ?? 'open what is in it first';
      return { links, asked, closed: { device: current, layer: link.layer.name, remedy } };
    }
    links.push(link);
    if (offers === undefined) return { links, asked };
    current = offers;
    if (current.name === name) asked = links.length - 1;
  }
}

interface Look {
  readonly host: ReadHost;
  readonly graph: ReadonlyMap<string, GraphDevice>;
  readonly layers: readonly Layer<Tx>[];
  readonly once: LayerAt['once'];
}

function deviceNamed({ graph }: Look, name: string): GraphDevice {
  const device = graph.get(name);
  if (device === undefined)
    throw new ParseError(`/dev/${name} is not among the devices of the kernel, or has no size now`);
  return device;
}

/**
 * The lowest device: goes down through layers that only open the device below, which have no size of their
 * own.
 */
function bottomOf(look: Look, device: GraphDevice): GraphDevice {
  if (device.kind !== 'crypt') return device;
  const [beneath, ...more] = device.below;
  if (beneath === undefined || more.length > 0)
    throw new RefusedError(`${device.path} is on several devices, or on none`, {
      remedy: `see what it is made of: bofh block tree ${device.path}`,
    });
  return bottomOf(look, deviceNamed(look, beneath));
}

function atOf({ host, graph, once }: Look, device: GraphDevice, content: LayerAt['content']): LayerAt {
  const above = device.above.flatMap((name) => graph.get(name) ?? []);
  return { host, device, content, above, once };
}

async function deviceLink(look: Look, device: GraphDevice): Promise<Link> {
  const at = atOf(look, device, undefined);
  const layer = layerFor(look.layers, 'device', at);
  const title = layer?.title?.(at) ?? layer?.name ?? device.kind;
  if (layer?.limits === undefined)
    throw new RefusedError(`${device.path} is a ${title}: bofh cannot change its size`, {
      remedy: `resize it with its own program; then what is on it: bofh filesystem resize ${device.path} max; or bofh crypt resize NAME; or bofh lvm pv resize ${device.path}`,
    });
  return { layer, at, title: `the ${title} ${nameOf(device)}`, limits: await limitsOf(layer, at) };
}

/** The size limits of a layer. A layer without code to resize it keeps its size. */
async function limitsOf({ limits, resize }: Layer<Tx>, at: LayerAt): Promise<Limits> {
  const found = await limits?.(at);
  if (found === undefined) return fixed(at.device.size, 'bofh does not know its limits');
  if (resize !== undefined || !(found.grow.may || found.shrink.may)) return found;
  const { size, overhead } = found;
  return { ...fixed(size, 'bofh knows its limits, but cannot resize it'), overhead };
}

async function contentLink(
  look: Look,
  device: GraphDevice,
  lowest: GraphDevice,
): Promise<{ readonly link: Link; readonly offers?: GraphDevice | 'closed' }> {
  const bare = option(`bofh block resize --bare ${lowest.path} SIZE`, "what: 'device'");
  const found = await probed(look.host, device);
  if (found.state === 'no medium') throw found.error;
  if (found.state !== 'probed')
    throw new RefusedError(
      found.state === 'part'
        ? `${device.path} is a part of another volume`
        : `the content of ${device.path} is unknown: ${found.why}`,
      { remedy: `see what it is: bofh block tree ${device.path}` },
    );
  const { content } = found;
  if (content === undefined) refuseOpenWithoutHeader(atOf(look, device, content));
  if (content === undefined)
    throw new RefusedError(`${device.path} has no known content, but it may still contain data`, {
      remedy: `to resize only the device: ${bare}`,
    });
  const at = atOf(look, device, content);
  const layer = layerFor(look.layers, 'content', at);
  const title = layer?.title?.(at) ?? layer?.name ?? content.type;
  const offers = layer?.offers?.(at);
  if (content.ptType !== undefined)
    throw new RefusedError(`${device.path} holds ${title} and also a partition table (${content.ptType})`, {
      remedy: `see both signatures: wipefs ${device.path}`,
    });
  if (layer?.limits === undefined)
    throw new RefusedError(
      `${device.path} holds ${title}, which bofh cannot resize together with the device`,
      {
        remedy: `resize its content yourself; to resize only the device: ${bare}`,
      },
    );
  // The layers above a closed one are unknown.
  const limits = offers === 'closed' ? noLimits : await limitsOf(layer, at);
  const link = { layer, at, title: `the ${title} on ${device.path}`, limits };
  return offers === undefined ? { link } : { link, offers };
}

function refuseOpenWithoutHeader({ device, above }: LayerAt): void {
  const open = above.find(({ kind }) => kind === 'crypt');
  if (open === undefined) return;
  throw new RefusedError(
    `${device.path} is open as ${open.path} with a detached header: bofh does not resize such a device together with its content`,
    {
      remedy: `to shrink, resize them in this order: bofh filesystem resize ${open.path} SIZE; bofh crypt resize ${open.path} SIZE --header FILE; then ${device.path} itself`,
    },
  );
}

const noLimits: Limits = {
  ...{ size: 0, granularity: 1, overhead: 0, smallest: { size: 0, why: '' } },
  grow: { may: true },
  shrink: { may: true },
};
