import type { GuestInterfaceChange } from '../../../../vm/guest-interfaces.ts';
import type { VmInterface } from '../../../output/answers/index.ts';

export function dataOf({ domid, bridge, ...rest }: GuestInterfaceChange): VmInterface {
  return { ...rest, bridge: bridge ?? null, domid: domid ?? null };
}
