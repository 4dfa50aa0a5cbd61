import { posix } from 'node:path';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Tx } from '../operations.ts';
import { present } from '../core/present.ts';
import { on, type refusals } from '../core/refusals.ts';
import { type CreatePlan as ReplicaPlan, createReplica, planCreate } from '../replica/create.ts';
import type { Members, Reachable } from '../replica/hosts.ts';
import { deviceOf } from '../replica/join.ts';
import { checkCreate as checkReplica } from '../replica/request.ts';
import type { Site } from '../site.ts';
import type { Bytes } from '../core/units.ts';
import { checkClashes, checkSpace } from './checks.ts';
import type { CheckedCreate } from './create-request.ts';

/** A disk of a new guest. */
export interface DiskPlan {
  /** The name of the logical volume and, if it is replicated, of the resource. */
  readonly name: string;
  readonly size: Bytes;
  /**
   * Whether a linear volume is overwritten with zeros, because the guest can read the whole device and not
   * only its filesystem.
   */
  readonly zeros?: boolean;
  /** The thin pool of the volume. */
  readonly pool?: string;
  /** The device in the guest's configuration. */
  readonly path: string;
  readonly replica: ReplicaPlan | undefined;
}

/** Checks whether this host can create logical volumes of these names and sizes. */
export async function planVolumes(options: {
  readonly host: Members[number]['host'];
  readonly vg: string | undefined;
  readonly wanted: readonly Pick<DiskPlan, 'name' | 'size' | 'zeros'>[];
  /** Volumes that exist beside them only for a while. */
  readonly copies?: readonly Pick<DiskPlan, 'name' | 'size'>[];
  readonly pool: string | undefined;
}): Promise<readonly DiskPlan[]> {
  refusePath(options.pool);
  await checkSpace(options);
  return options.wanted.map((each) => ({
    ...each,
    ...present({ pool: options.pool }),
    path: `/dev/${options.vg ?? ''}/${each.name}`,
    replica: undefined,
  }));
}

function refusePath(pool: string | undefined): void {
  if (pool?.includes('/') !== true) return;
  const name = posix.basename(pool);
  throw new UsageError(
    `${option('--thin', '`thin`')}: "${pool}" is not the name of a pool: its group is that of the disks`,
    { remedy: `give the name without the group: ${option(`--thin ${name}`, `\`thin: '${name}'\``)}` },
  );
}

/**
 * As `planVolumes`, for replicated disks on both hosts. Throws too if the other host has a guest of that
 * name.
 */
export async function planReplicas(
  [own, peer]: Members,
  options: {
    readonly site: Site;
    readonly request: CheckedCreate;
    readonly wanted: readonly { readonly name: string; readonly size: Bytes }[];
    readonly found: ReturnType<typeof refusals>;
  },
): Promise<readonly DiskPlan[] | undefined> {
  const { site, request, wanted, found } = options;
  const { name: guest, vg, peerVg, addresses } = request;
  await found.try(() =>
    on(peer.name, () =>
      checkClashes({ host: peer.host, site, name: guest, mac: request.mac?.toLowerCase() }),
    ),
  );
  const planned: DiskPlan[] = [];
  for (const { name, size } of wanted) {
    const replica = await found.try(() =>
      planCreate({
        members: own.name < peer.name ? [own, peer] : [peer, own],
        site,
        request: checkReplica({
          ...{ name, size, on: [own.asked, peer.asked], primary: own.asked },
          ...present({ vg, peerVg, addresses }),
        }),
        beside: planned.flatMap((each) => each.replica ?? []),
      }),
    );
    if (replica === undefined) return undefined;
    planned.push({ name, size, path: deviceOf(replica), replica });
  }
  return planned;
}

/** Creates a disk, and returns its device. */
export async function createDisk(
  tx: Tx,
  {
    vg,
    disk,
    hosts,
  }: { readonly vg: string; readonly disk: DiskPlan; readonly hosts: Reachable | undefined },
): Promise<string> {
  const { name, size, pool, replica } = disk;
  if (replica === undefined) {
    const content = disk.zeros === true && pool === undefined ? 'zeros' : undefined;
    return (await tx.lvm.createLv({ vg, name, size, ...present({ pool, content }) })).path;
  }
  if (hosts === undefined) throw new UsageError('a replicated disk needs its two hosts');
  return (await createReplica(tx, hosts, replica)).device;
}
