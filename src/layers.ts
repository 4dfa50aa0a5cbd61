import type { Layer, LayerAt } from './blockdevice/layer.ts';
import { UsageError } from './core/errors.ts';
import type { Tx } from './operations.ts';

/** Every driver's layers, the special before the general. The list is open: `registerLayer`. */
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

/**
 * Teaches bofh a new sort of layer, for as long as this process lives. It is asked before the built-in ones, the newest
 * first, so that it may also take over what one of them recognises. Returns a function that takes it out again.
 */
export function registerLayer(layer: Layer<Tx>): () => void {
  if (registered.some(({ name }) => name === layer.name))
    throw new UsageError(`there is a registered layer "${layer.name}" already`);
  registered.unshift(layer);
  return () => {
    const at = registered.indexOf(layer);
    if (at >= 0) registered.splice(at, 1);
  };
}

/** Every layer, in the order in which they are asked. */
export async function allLayers(): Promise<readonly Layer<Tx>[]> {
  return [...registered, ...(await builtIn())];
}

/** The first layer of these that knows what is there. */
export function layerFor(
  layers: readonly Layer<Tx>[],
  of: 'device' | 'content',
  at: Pick<LayerAt, 'device' | 'content'>,
): Layer<Tx> | undefined {
  return layers.find((layer) => layer.of === of && layer.recognises(at));
}
