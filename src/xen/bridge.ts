import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import type { Vif } from './config/vif.ts';
import { xlConf } from './xl-conf.ts';

/** The bridge of a network interface, and the type of script that connects the guest to it. */
export interface VifBridge {
  readonly bridge: string;
  readonly kind: 'linux' | 'openvswitch' | 'other';
}

// tools/hotplug/Linux/vif-openvswitch of Xen 4.14 to 4.20.
const openvswitch = /^(?<name>[^.:]+)(?:\.\d+)?(?::\d+)*$/;

/**
 * The bridge of an interface; undefined if none is named. For Open vSwitch a VLAN tag and trunks follow the
 * name: `ovsbr0.42`, `ovsbr0:42:43`.
 */
export async function bridgeOf(host: ReadHost, { bridge, script }: Vif): Promise<VifBridge | undefined> {
  if (bridge === undefined) return undefined;
  const used = posix.basename(script ?? (await xlConf(host, 'vif.default.script')) ?? 'vif-bridge');
  if (used === 'vif-bridge') return { bridge, kind: 'linux' };
  if (used !== 'vif-openvswitch') return { bridge, kind: 'other' };
  return { bridge: openvswitch.exec(bridge)?.groups?.name ?? bridge, kind: 'openvswitch' };
}

/**
 * Returns the text of a refusal if the bridge of an interface does not exist. Does not check an interface whose script
 * is not one of Xen.
 */
export async function missingBridge(host: ReadHost, vif: Vif): Promise<string | undefined> {
  const found = await bridgeOf(host, vif);
  if (found === undefined || found.kind === 'other') return undefined;
  const exists = (await host.stat(`/sys/class/net/${found.bridge}`)) !== undefined;
  return exists ? undefined : `there is no bridge ${found.bridge}`;
}
