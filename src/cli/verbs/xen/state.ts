import type { GuestRow } from '../../../api/xen.ts';
import { stateWords } from '../../../xen/index.ts';

/** Returns the state of a guest in words. */
export function stateInWords(state: GuestRow['state']): string {
  return state === 'off' ? state : stateWords[state];
}
