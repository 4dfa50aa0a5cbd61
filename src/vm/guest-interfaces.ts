import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { parsed, text } from '../core/request.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { type ConfigFile, xlInterfaces, withItem, withoutItem } from '../xen/index.ts';
import { checkMac, checkVif, refuseUnread, refuseUsedMac } from './checks.ts';
import { configured } from './configured.ts';
import { edited, type EditedConfig, runningOf } from './guest-disks.ts';
import { randomMac } from './mac.ts';

const schema = z.strictObject({
  /** Its bridge (default: `bridge` of the site file). */
  bridge: z.exactOptional(text),
  /** Its MAC address (default: a random one). */
  mac: z.exactOptional(text),
});

/** A new network interface of a guest. */
export type GuestInterfaceRequest = z.input<typeof schema>;

/** A checked request for a network interface. */
export type CheckedGuestInterface = z.output<typeof schema>;

/** Checks a request for a network interface. Throws UsageError. */
export function checkGuestInterface(request: unknown): CheckedGuestInterface {
  return parsed('vm.attachInterface', schema, request);
}

/** A changed network interface of a guest. */
export interface GuestInterfaceChange {
  readonly name: string;
  readonly config: string;
  /** Lower case, with colons. */
  readonly mac: string;
  readonly bridge: string | undefined;
  /** Domain ID; undefined if the guest is off. */
  readonly domid: number | undefined;
  /** When the guest sees the change: now, or at its next start, also if it is off. */
  readonly effective: 'now' | 'next start';
}

/** The plan to change the network interfaces of a guest. */
export interface GuestInterfacePlan extends GuestInterfaceChange {
  readonly file: EditedConfig['file'];
  /** The change in the running guest; undefined if there is none. */
  readonly live: { readonly uuid: string; readonly bridge: string | null } | undefined;
}

interface Wanted {
  readonly site: Site;
  readonly name: string;
}

/** Makes all checks for a new interface before anything is done. */
export async function planInterfaceAttach(
  host: ReadHost,
  { site, name, request }: Wanted & { readonly request: CheckedGuestInterface },
): Promise<GuestInterfacePlan> {
  const { guest, guests, problems, domain } = await configured(host, { name, site });
  const mac = request.mac?.toLowerCase() ?? randomMac();
  const bridge = request.bridge ?? site.bridge;
  checkMac(mac, false);
  if (bridge === undefined)
    throw new RefusedError('no bridge is named, and the site file has none', {
      remedy: `see the bridges: bofh network list; then name one: bofh vm interface attach ${name} --bridge BRIDGE`,
    });
  await checkVif(host, { bridge });
  refuseUnread(problems, 'whether another guest has the same address');
  refuseUsedMac(guests, mac);
  const edit = (read: ConfigFile): Buffer => withItem(read, 'vif', `mac=${mac},bridge=${bridge}`);
  const change = await edited(host, {
    ...{ guest, edit, key: 'vif' },
    isGood: ({ vifs }) =>
      same(vifs.slice(0, -1), guest.vifs) && vifs.at(-1)?.mac === mac && vifs.at(-1)?.bridge === bridge,
  });
  const running = runningOf(guest, domain);
  return {
    ...{ ...change, mac, bridge, domid: domain?.id },
    effective: running === undefined ? 'next start' : 'now',
    live: running === undefined ? undefined : { uuid: running.uuid, bridge },
  };
}

/** Makes all checks to detach an interface. */
export async function planInterfaceDetach(
  host: ReadHost,
  { site, name, mac: asked }: Wanted & { readonly mac: string },
): Promise<GuestInterfacePlan> {
  const { guest, domain } = await configured(host, { name, site });
  const mac = asked.toLowerCase();
  const at = guest.vifs.findIndex((vif) => vif.mac === mac);
  if (at < 0)
    throw new RefusedError(`${guest.file} has no interface with the MAC address ${mac}`, {
      code: 'not-found',
      remedy: `see its interfaces: bofh vm show ${name}`,
    });
  const edit = (read: ConfigFile): Buffer => withoutItem(read, 'vif', at);
  const change = await edited(host, {
    ...{ guest, edit, key: 'vif' },
    isGood: ({ vifs }) => same(vifs, guest.vifs.toSpliced(at, 1)),
  });
  const running = runningOf(guest, domain);
  const nics = running === undefined ? [] : ((await host.run(xlInterfaces())).get(running.id) ?? []);
  const hasIt = nics.some((nic) => nic.mac === mac);
  return {
    ...{ ...change, mac, bridge: guest.vifs[at]?.bridge, domid: domain?.id },
    effective: running === undefined ? 'next start' : 'now',
    live: running !== undefined && hasIt ? { uuid: running.uuid, bridge: null } : undefined,
  };
}

/** Changes the interfaces. The file is first, because the step in the guest can still fail. */
export async function changeInterfaces(tx: Tx, plan: GuestInterfacePlan): Promise<void> {
  const { name, config, file, mac, live } = plan;
  await tx.file.change({ path: config, ...file, encoding: 'latin1' });
  if (live !== undefined) await tx.xen.setInterface({ name, mac, ...live });
}

function same(a: readonly object[], b: readonly object[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
