import type { ReadHost } from '../command/index.ts';
import { formatSize } from '../core/units.ts';
import { chainOf } from './chain.ts';
import { planResize } from './plan.ts';
import { margin } from './resize.ts';

/**
 * The layers that are smaller than the device below them allows, from the lowest up: `the ext4 on
 * /dev/drbd0 (64 MiB)`. Layers in a closed container are unknown, and not included.
 */
export async function lagging(host: ReadHost, device: string): Promise<readonly string[]> {
  const { links } = await chainOf({ host, device, bare: false });
  const { steps } = planResize({
    ...{ asked: 0, to: { size: links[0]?.limits.size ?? 0 }, margin },
    chain: links.map(({ title, limits }) => ({ title, limits: { ...limits, grow: { may: true } } })),
  });
  return steps
    .filter(({ direction }) => direction === 'grow')
    .map(({ layer, from }) => `${links[layer]?.title ?? ''} (${formatSize(from)})`);
}
