import type { KeyRef } from '../../../command/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';

/** The key in a file of the host. */
export function keyFile(runtime: Runtime, path: string): KeyRef {
  return { from: 'file', path: pathOn(runtime, path) };
}

/** Where the guest looks for the key of an encrypted disk. */
export function keyInGuest(disk: string): string {
  return `the guest opens ${disk} with the key in its /etc/cryptsetup-keys.d/${disk}.key (mode 0600), which you copy there; without it, it asks for the key on its console`;
}
