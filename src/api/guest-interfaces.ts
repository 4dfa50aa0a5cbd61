import * as z from 'zod/mini';
import { beginRecipe, currentBofh, single } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { parsed, text } from '../core/request.ts';
import { type GuestInterfaceRow, interfacesOfGuest } from '../vm/attached.ts';
import {
  changeInterfaces,
  checkGuestInterface,
  type GuestInterfaceChange,
  type GuestInterfacePlan,
  type GuestInterfaceRequest,
  planInterfaceAttach,
  planInterfaceDetach,
} from '../vm/guest-interfaces.ts';
import { planning } from './planning.ts';

export type { GuestInterfaceChange, GuestInterfaceRequest } from '../vm/guest-interfaces.ts';

const guests = z.strictObject({ name: text });
const names = z.strictObject({ name: text, mac: text });

/**
 * Lists the network interfaces of a configured guest: those of its configuration, then those that only the
 * running guest has. Throws RefusedError for an unknown guest, and if xl does not show its domain yet.
 */
export async function interfaces(name: string): Promise<readonly GuestInterfaceRow[]> {
  const { host, site } = currentBofh();
  parsed('vm.interfaces', guests, { name });
  return naming('vm.interfaces', { name }, () => interfacesOfGuest(host, { site, name }));
}

/**
 * Adds a network interface to the configuration of a guest in a sequence of its own. A running guest gets it
 * at once, a paused one at its next start. Throws RefusedError if the bridge does not exist, or if a guest
 * has the MAC address.
 */
export async function attachInterface(
  name: string,
  request: GuestInterfaceRequest = {},
): Promise<GuestInterfaceChange> {
  beginRecipe('vm.attachInterface');
  const { host, site } = currentBofh();
  const asked = checkGuestInterface(request);
  const plan = await planning('vm.attachInterface', { name }, () =>
    planInterfaceAttach(host, { site, name, request: asked }),
  );
  await single(`vm interface attach ${name} --mac ${plan.mac}`, (tx) => changeInterfaces(tx, plan));
  return changeOf(plan);
}

/**
 * Removes a network interface from the configuration of a guest in a sequence of its own. A running guest
 * loses it at once, a paused one at its next start. Throws RefusedError if the configuration has no interface
 * with that address.
 *
 * @param mac - MAC address of the interface: `00:16:3e:12:34:56`.
 */
export async function detachInterface(name: string, mac: string): Promise<GuestInterfaceChange> {
  beginRecipe('vm.detachInterface');
  const { host, site } = currentBofh();
  parsed('vm.detachInterface', names, { name, mac });
  const plan = await planning('vm.detachInterface', { name, mac }, () =>
    planInterfaceDetach(host, { site, name, mac }),
  );
  await single(`vm interface detach ${name} ${mac}`, (tx) => changeInterfaces(tx, plan));
  return changeOf(plan);
}

function changeOf({ name, config, mac, bridge, domid, effective }: GuestInterfacePlan): GuestInterfaceChange {
  return { name, config, mac, bridge, domid, effective };
}
