import type { World } from '../world/world.ts';
import type { WrapAct } from './act.ts';

/** Acts of an administrator on the network card. */
export interface NetworkAdmin {
  /** Sets all addresses of the network card, such as `10.0.0.1/24`; without one its link is down. */
  setAddresses(...addresses: readonly string[]): void;
}

/** Returns these methods for a simulated host. */
export function networkActs(world: World, does: WrapAct): NetworkAdmin {
  return {
    setAddresses: does((...addresses) => {
      world.addresses = addresses;
    }),
  };
}
