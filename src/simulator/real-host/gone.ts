import { dmName } from '../world/dm-names.ts';
import type { Overlay, World } from '../world/world.ts';

/** Returns a function that tells whether a path of the real host no longer exists in the model. */
export function isGone(overlay: Overlay, world: World): (path: string) => boolean {
  const paths = new Set(gone(overlay, world));
  // The real host still lists the closed device as holder of its underlying device.
  const held = [...overlay.mappings.keys()]
    .filter((number) => !world.mappings.some((mapping) => mapping.number === number))
    .map((number) => `/holders/dm-${number.split(':')[1] ?? ''}`);
  const attached = world.drbd.resources
    .flatMap(({ volumes }) => volumes)
    .filter(({ lower }) => lower !== undefined);
  const freed = [...overlay.replicas]
    .filter((minor) => !attached.some((volume) => volume.minor === minor))
    .map((minor) => `/holders/drbd${String(minor)}`);
  return (path) => paths.has(path) || [...held, ...freed].some((end) => path.endsWith(end));
}

/**
 * Returns the paths of the real host that the model no longer has: of guests that it ended, volumes
 * that it removed, deactivated or renamed.
 */
function gone({ volumes, backends, mappings }: Overlay, world: World): readonly string[] {
  const ended = [...backends].filter(([, id]) => !world.domains.some(({ domid }) => domid === id));
  const removed = [...volumes].flatMap(([uuid, { number, vg, name }]) => {
    const lv = world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.uuid === uuid);
    const isActive = world.active.has(uuid);
    const names = [`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`];
    const dm = `dm-${number.split(':')[1] ?? ''}`;
    const nodes = [`/dev/${dm}`, `/sys/dev/block/${number}`, `/sys/block/${dm}`];
    return [...(isActive && lv?.name === name ? [] : names), ...(isActive ? [] : nodes)];
  });
  const closed = [...mappings].flatMap(([number, { name }]) => {
    const now = world.mappings.find((mapping) => mapping.number === number)?.name;
    const dm = `dm-${number.split(':')[1] ?? ''}`;
    const nodes = [`/dev/${dm}`, `/sys/dev/block/${number}`, `/sys/block/${dm}`];
    return [...(now === name ? [] : [`/dev/mapper/${name}`]), ...(now === undefined ? nodes : [])];
  });
  return [...removed, ...closed, ...ended.map(([path]) => path)];
}
