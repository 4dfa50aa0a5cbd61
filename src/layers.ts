import type { Layer, LayerAt } from './blockdevice/layer.ts';
import { UsageError } from './core/errors.ts';
import type { Tx } from './operations.ts';
import { callable, parsed, text } from './core/request.ts';
import * as z from 'zod/mini';

/**
 * Returns the layers of all drivers, the more specific first, because the first layer that
 * recognises a device or content is used. `registerLayer` adds more.
 */
async function builtIn(): Promise<readonly Layer<Tx>[]> {
  const [lvm, crypt, drbd, block, filesystem] = await Promise.all([
    import('./lvm/layer.ts'),
    import('./crypt/layer.ts'),
    import('./drbd/layer.ts'),
    import('./blockdevice/layers.ts'),
    import('./filesystem/layer.ts'),
  ]);
  return [
    ...[lvm.logicalVolume, lvm.physicalVolume, crypt.luks, crypt.luksMapping],
    ...[block.partition, block.loop, block.array, block.arrayMember, block.partitionTable],
    ...[drbd.drbdDevice, drbd.drbdBacking, block.disk],
    ...[filesystem.swap, filesystem.filesystem],
  ];
}

const registered: Layer<Tx>[] = [];

const layerLike = z.looseObject({
  ...{ name: text, of: z.enum(['device', 'content']), recognises: callable() },
  ...{ title: z.optional(callable()), tell: z.optional(callable()), offers: z.optional(callable()) },
  ...{ toOpen: z.optional(callable()), limits: z.optional(callable()), resize: z.optional(callable()) },
});

/**
 * Registers a layer type for the life of this process. Registered layers are asked before the built-in ones,
 * the newest first, so they can override one of them. Returns a function that removes the layer again. Throws
 * UsageError if the name is registered already.
 */
export function registerLayer(layer: Layer<Tx>): () => void {
  parsed('registerLayer', layerLike, layer);
  if (registered.some(({ name }) => name === layer.name))
    throw new UsageError(`a layer "${layer.name}" is already registered`);
  registered.unshift(layer);
  return () => {
    const at = registered.indexOf(layer);
    if (at >= 0) registered.splice(at, 1);
  };
}

/** Returns every layer, in the order in which they are asked. */
export async function allLayers(): Promise<readonly Layer<Tx>[]> {
  return [...registered, ...(await builtIn())];
}

/** Returns the first layer that recognises the device or content. */
export function layerFor(
  layers: readonly Layer<Tx>[],
  of: 'device' | 'content',
  at: Pick<LayerAt, 'device' | 'content'>,
): Layer<Tx> | undefined {
  return layers.find((layer) => layer.of === of && layer.recognises(at));
}
