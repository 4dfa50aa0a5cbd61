import type { GuestRow } from '../../../api/xen.ts';
import { stateWords } from '../../../xen/index.ts';

/** The state of a guest, for people. */
export function stateInWords(state: GuestRow['state']): string {
  return state === 'off' ? state : stateWords[state];
}
