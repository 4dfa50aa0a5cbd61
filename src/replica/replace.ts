import { askedHere } from '../drbd/operations/known-resource.ts';
import type { Tx } from '../operations.ts';
import type { Bytes } from '../core/units.ts';
import { type Reachable, reserveOn, stepsOn } from './hosts.ts';
import { connected, deviceOf } from './join.ts';
import { refuseOlder } from './known-resource.ts';
import { removeReplica } from './remove.ts';
import type { ReplacePlan } from './replace-plan.ts';

/** A resource whose new peer fetches all its data. */
export interface ReplacedPeer {
  readonly name: string;
  readonly device: string;
  /** Size of the device, in bytes. */
  readonly size: Bytes;
  /** The previous peer. */
  readonly from: {
    readonly name: string;
    /** `lost`: it still has its part of the resource if it comes back. */
    readonly end: 'removed' | 'lost';
    /** Removed logical volumes, and disks that stay. */
    readonly volumes: readonly string[];
    readonly kept: readonly string[];
    /** The command that removes the rest on the old peer; undefined if nothing is left. */
    readonly clear: string | undefined;
  };
  readonly to: string;
  readonly hosts: readonly {
    readonly name: string;
    readonly disk: string;
    readonly address: string;
    readonly port: number;
  }[];
}

/**
 * Replaces the peer. The slow steps, on the new host, come first. Then this host disconnects from its peer,
 * which is brought down, and connects to the new one, whose metadata marks it as without data. The device of
 * this host stays in use all the time. If a step fails, the two old hosts are connected again. The part of
 * the old peer is removed last.
 */
export async function replacePeer(tx: Tx, hosts: Reachable, plan: ReplacePlan): Promise<ReplacedPeer> {
  const { config, text, mode, own, to, from, connection, seen } = plan;
  const { name } = config;
  const [here, there] = [stepsOn(tx, hosts, own), stepsOn(tx, hosts, to)];
  await reserveOn(tx, hosts, [own, to, ...(from.removal?.hosts ?? [])], [`drbd:${name}`]);
  await there.lvm.createLv({ vg: to.vg, name: to.lv, size: to.size, content: 'zeros' });
  await there.drbd.createConfig({ ...config, text, mode });
  await there.drbd.createMetadata({ name });
  // The creation of a large volume takes time: the two hosts may have lost their connection.
  if (from.removal?.hosts.some(({ volumes }) => volumes.length > 0) === true)
    refuseOlder({ ...own, resource: await askedHere(own.host, name) }, { of: from.name });
  if (connection === 'connecting') await here.drbd.disconnect({ name });
  for (const each of from.removal?.hosts ?? [])
    if (each.state === 'up') await stepsOn(tx, hosts, each).drbd.down({ name });
  await here.drbd.removeConfig({ name, whileUp: true, sha256: seen });
  await here.drbd.createConfig({ ...config, text, mode, whileUp: true });
  await there.drbd.up({ name, peerStays: true });
  await here.drbd.connect({ name });
  for (const each of [own, to]) await connected(each, { ...plan, generation: { on: [own.name] } }, tx.signal);
  if (from.removal !== undefined) await removeReplica(tx, hosts, asDown(from.removal));
  return replaced(plan);
}

function asDown(removal: NonNullable<ReplacePlan['from']['removal']>): typeof removal {
  return { ...removal, hosts: removal.hosts.map((each) => ({ ...each, state: 'down' })) };
}

function replaced({ config, size, from, to }: ReplacePlan): ReplacedPeer {
  const { removal } = from;
  const [gone] = removal?.hosts ?? [];
  const isLeft = removal === undefined && from.name !== to.name;
  return {
    ...{ name: config.name, device: deviceOf({ config }), size, to: to.name },
    from: {
      ...{ name: from.name, end: removal === undefined ? 'lost' : 'removed' },
      volumes: (gone?.volumes ?? []).map((lv) => `${lv.vg}/${lv.name}`),
      kept: isLeft ? [from.disk] : [...(gone?.kept ?? [])],
      clear: isLeft ? `bofh drbd remove ${config.name} --here` : undefined,
    },
    hosts: config.hosts.map(({ name, address, port, volumes }) => ({
      ...{ name, address, port },
      disk: volumes[0]?.disk ?? '',
    })),
  };
}
