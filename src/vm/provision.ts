import { deviceWitness, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { refuseElsewhere, refuseUnsafeScript } from '../copy/index.ts';
import { RefusedError } from '../core/errors.ts';
import { lvs } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { offRemedy, stateWords } from '../xen/index.ts';
import { configured } from './configured.ts';
import { planMoment, type SnapshotDisk } from './moment.ts';
import type { CheckedProvision } from './request.ts';
import { planTree, type TreePlan } from './tree.ts';

/** A guest to which a description was applied. */
export interface ProvisionedVm {
  readonly name: string;
  /** The changed logical volumes, as `VG/LV`; the root first. */
  readonly volumes: readonly string[];
}

/** The plan to apply a description to a guest that is off. */
export interface ProvisionPlan {
  readonly name: string;
  readonly description: string;
  readonly seconds: number;
  /** Each filesystem of the guest, with the snapshot to which the description is applied. */
  readonly mounts: readonly {
    readonly disk: SnapshotDisk;
    readonly filesystem: string;
    readonly type: string;
    readonly target: string;
  }[];
  /** Throws unless the guest is off and none of its disks is mounted. */
  readonly look: () => Promise<unknown>;
}

/** Makes all checks before anything is done. Throws RefusedError if the guest is not off. */
export async function planProvision(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly request: CheckedProvision;
}): Promise<ProvisionPlan> {
  const { host, site, name, request } = options;
  const { description } = request;
  refuseElsewhere(host);
  await refuseUnsafeScript(host, description, 'description');
  const { guest, domain } = await configured(host, { site, name });
  if (domain !== undefined)
    throw new RefusedError(
      `${name} exists as domain ${domain.id} (${stateWords[domain.state]}): its disks can be changed only while it is off`,
      {
        code: 'in-use',
        remedy: `${offRemedy(domain, name)}; then run the command again; or over SSH, while it runs: bofh --host root@ADDRESS host apply ${description}`,
      },
    );
  const look = () => unmounted(host, { site, name });
  const tree = await look();
  const pathOf = new Map(guest.disks.map(({ vdev, path }) => [vdev, path]));
  const { disks } = await planMoment(host, {
    ...{ site, name, suffix: 'provision', use: 'snapshots', snapshotSize: request.snapshotSize },
    otherwise: 'apply the description over SSH while the guest runs',
    only: new Set(tree.mounts.map(({ device }) => device)),
  });
  const mounts: ProvisionPlan['mounts'][number][] = [];
  for (const { device, type, target, mode } of tree.mounts) {
    const disk = disks.find(({ vdev }) => pathOf.get(vdev) === device);
    const filesystem = (await probe(host, device))?.uuid;
    if (disk === undefined || filesystem === undefined)
      throw new RefusedError(
        `${device} of ${name} has no UUID, so bofh could not recognise it after a crash`,
        {
          remedy: `give it one: bofh filesystem uuid ${device}`,
        },
      );
    if (mode === 'ro')
      throw new RefusedError(
        `${name} mounts ${device} read-only on ${target}: nothing can be written there`,
        {
          remedy: `make it writable in /etc/fstab of ${name} and in its configuration, or add noauto to its line`,
        },
      );
    if (type === 'btrfs')
      throw new RefusedError(
        `${device} of ${name} contains a btrfs: a snapshot of its volume has the same UUID, and the kernel would confuse the two`,
        {
          remedy: `add noauto to its line in /etc/fstab of ${name}; or start the guest and apply the description over SSH: bofh --host root@ADDRESS host apply ${description}`,
        },
      );
    await refuseOtherSnapshots(host, name, disk);
    mounts.push({ disk, filesystem, type, target });
  }
  return { name, description, seconds: (request.timeoutMs ?? 600_000) / 1000, mounts, look };
}

/** Throws RefusedError for a thin disk with snapshots: they could not be restored after the merge. */
async function refuseOtherSnapshots(
  host: ReadHost,
  guest: string,
  { vg, volume, uuid, pool }: SnapshotDisk,
): Promise<void> {
  const others = pool === null ? [] : (await lvs(host)).filter(({ origin }) => origin?.uuid === uuid);
  if (others.length === 0) return;
  const names = others.map(({ fullName }) => fullName).join(', ');
  throw new RefusedError(
    `the thin volume ${vg}/${volume} has the snapshots ${names}, which could not be restored afterwards`,
    {
      code: 'in-use',
      remedy: `start ${guest} and apply the description over SSH: bofh --host root@ADDRESS host apply FILE; or remove the snapshots: bofh vm snapshot list ${guest}; bofh vm snapshot remove ${guest} LABEL`,
    },
  );
}

/**
 * Applies the description to snapshots of the disks, which are merged into the disks after the commit. Until
 * then the disks do not change. Throws RefusedError if another program writes to a disk meanwhile: the merge
 * would lose those writes.
 *
 * @param keys - Keys of the disks, for the locks of the engine.
 */
export async function provisionVm(
  tx: Tx,
  host: ReadHost,
  plan: ProvisionPlan,
  keys: readonly string[],
): Promise<ProvisionedVm> {
  const { name, description, seconds } = plan;
  await tx.reserve({ changes: keys });
  // Checked again, now that no other bofh can start the guest or mount its disks.
  await plan.look();
  const before = await witnessesOf(host, plan);
  const made: { readonly vg: string; readonly name: string; readonly uuid: string }[] = [];
  const mounts: { device: string; filesystem: string; type: string; target: string }[] = [];
  for (const { disk, ...mount } of plan.mounts) {
    const { vg, volume: origin, uuid: originUuid, snapshot, room } = disk;
    const asked = { vg, origin, originUuid, name: snapshot, written: true, ...(room ?? { active: true }) };
    const { path: device, uuid } = await tx.lvm.createSnapshot(asked);
    made.push({ vg, name: snapshot, uuid });
    mounts.push({ device, ...mount });
  }
  const environment = { NAME: name };
  await tx.copy.script({
    ...{ script: description, description: true, mounts, made: 'snapshot', environment, seconds },
  });
  const after = await witnessesOf(host, plan);
  const changed = [...after].find(([path, witness]) => witness !== before.get(path))?.[0];
  if (changed !== undefined)
    throw new RefusedError(`another program wrote to ${changed} meanwhile: the merge would lose that`, {
      code: 'differs',
      remedy: `see what it is: bofh block tree ${changed}; then run the command again`,
    });
  for (const each of made) await tx.lvm.mergeSnapshot(each);
  return { name, volumes: plan.mounts.map(({ disk: { vg, volume } }) => `${vg}/${volume}`) };
}

/** The witness of each disk, by its path. */
async function witnessesOf(host: ReadHost, { mounts }: ProvisionPlan): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const { disk } of mounts) {
    const path = `/dev/${disk.vg}/${disk.volume}`;
    found.set(path, await deviceWitness(host, path));
  }
  return found;
}

async function unmounted(
  host: ReadHost,
  of: { readonly site: Site; readonly name: string },
): Promise<TreePlan> {
  const tree = await planTree(host, of);
  if (tree.at === undefined) return tree;
  throw new RefusedError(`${of.name} is mounted on ${tree.at}`, {
    code: 'in-use',
    remedy: `bofh vm unmount ${of.name}`,
  });
}
