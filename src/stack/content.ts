import type { GraphDevice } from '../blockdevice/graph.ts';
import { isWithoutMedium, probe, unseen } from '../blockdevice/index.ts';
import type { Layer, LayerAt, LayerFacts } from '../blockdevice/layer.ts';
import type { Signature } from '../blockdevice/schema.ts';
import { whyUnreadable } from '../blockdevice/unreadable.ts';
import type { ReadHost } from '../command/index.ts';
import { layerFor } from '../layers.ts';
import type { Tx } from '../operations.ts';
import type { StackContent } from './schema.ts';
import { present } from '../core/present.ts';

/** The content of a device, or why it is unknown. */
export type Probed =
  | { readonly state: 'probed'; readonly content: Signature | undefined }
  | { readonly state: 'part' }
  | { readonly state: 'no medium'; readonly error: unknown }
  | { readonly state: 'unreadable'; readonly why: string };

/**
 * Detects the content of a device without changing it. Never reads a part of a volume, whose content means
 * nothing by itself.
 */
export async function probed(host: ReadHost, device: GraphDevice): Promise<Probed> {
  if (device.kind === 'volume-part') return { state: 'part' };
  if (device.size === 0) return { state: 'unreadable', why: 'it has no size' };
  try {
    const content = await probe(host, device.path);
    return { state: 'probed', content: content ?? (await unseen(host, device.path)) };
  } catch (error) {
    return isWithoutMedium(error)
      ? { state: 'no medium', error }
      : { state: 'unreadable', why: whyUnreadable(error) };
  }
}

/** Returns the facts of a layer; if the layer fails, they contain its error. */
export async function layerFacts(layer: Layer<Tx> | undefined, at: LayerAt): Promise<LayerFacts> {
  if (layer === undefined) return {};
  try {
    return await layer.tell(at);
  } catch (error) {
    return { unknown: [`${layer.name}: ${whyUnreadable(error)}`] };
  }
}

/** The content of a device for the tree, and the unknown parts. */
export async function contentOf(
  layers: readonly Layer<Tx>[],
  at: LayerAt,
  found: Probed,
): Promise<{ readonly content: StackContent; readonly unknown: readonly string[] }> {
  const none = { layer: null, facts: [] };
  if (found.state === 'part') return { content: { state: 'part', title: '', ...none }, unknown: [] };
  if (found.state === 'no medium')
    return { content: { state: 'unreadable', title: found.state, ...none }, unknown: [] };
  if (found.state === 'unreadable') {
    // Without permission to read the device, the kernel's mounts still show its type.
    const [mount] = at.device.mounts;
    const type = present({ type: mount?.type });
    const content = { state: 'unreadable', title: mount?.type ?? '', ...none, ...type } as const;
    return { content, unknown: [`its content: ${found.why}`] };
  }
  const { content } = found;
  if (content === undefined) return { content: { state: 'blank', title: 'blank', ...none }, unknown: [] };
  const layer = layerFor(layers, 'content', at);
  const { size, overhead, facts = [], unknown = [] } = await layerFacts(layer, at);
  const beside =
    content.ptType === undefined ? [] : [`a ${content.ptType} partition table is on the device too`];
  return {
    content: {
      state: layer === undefined ? 'unknown' : 'known',
      layer: layer?.name ?? null,
      title: layer === undefined ? content.type : (layer.title?.(at) ?? layer.name),
      type: content.type,
      ...present({ uuid: content.uuid, label: content.label, size, overhead }),
      facts: named(facts),
    },
    unknown: [...unknown, ...beside],
  };
}

/** Facts as objects, for JSON. */
export function named(facts: NonNullable<LayerFacts['facts']>): StackContent['facts'] {
  return facts.map(([name, value]) => ({ name, value }));
}
