import type { World } from '../world/world.ts';
import type { Does } from './act.ts';

/** Acts of an administrator on the network card. */
export interface NetworkAdmin {
  /** What its card has from now on: `10.0.0.1/24`; none: as if its link were down. */
  setAddresses(...addresses: readonly string[]): void;
}

/** These acts, on a host in memory. */
export function networkActs(world: World, does: Does): NetworkAdmin {
  return {
    setAddresses: does((...addresses) => {
      world.addresses = addresses;
    }),
  };
}
