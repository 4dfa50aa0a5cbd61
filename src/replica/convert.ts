import { allOf } from '../core/all-of.ts';
import { recognise } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { dataSize, deviceSizeFor, nextFree } from '../drbd/index.ts';
import { refuseTaken } from '../drbd/operations/refuse-taken.ts';
import { RefusedError } from '../core/errors.ts';
import { type LogicalVolume, usableVg, volumeNamed } from '../lvm/index.ts';
import { refuseFull } from '../lvm/operations/extents.ts';
import { refuseKind } from '../lvm/operations/resized-volume.ts';
import { everyHolderOf, holdersOf, inUse, refuseUnknownActivation } from '../lvm/reads.ts';
import type { WholeGroup } from '../lvm/objects.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import type { Bytes } from '../core/units.ts';
import { checkDrbd, checkGroup, checkNumbers, checkRoom, checkSeries, sizeFor } from './checks.ts';
import { type Members, membersAt, type Reachable, reserveFirst, stepsOn } from './hosts.ts';
import { checkNames, configFor, deviceOf, joinHosts, type JoinPlan, newGeneration, pairOf } from './join.ts';
import type { CheckedConvert } from './request.ts';

/** A logical volume with data that will be replicated to another host. */
export interface ConvertPlan extends JoinPlan {
  readonly source: {
    readonly place: string;
    readonly vg: string;
    readonly name: string;
    readonly uuid: string;
    readonly path: string;
    readonly size: Bytes;
  };
  readonly target: { readonly place: string; readonly vg: string };
  readonly lvSize: Bytes;
  /** Size of the device. */
  readonly size: Bytes;
}

/** The created resource; the other host fetches the data of this one. */
export interface ConvertedReplica {
  readonly name: string;
  /** The device to use from now on; `was` is the previous one. */
  readonly device: string;
  readonly was: string;
  /** Size of the device, in bytes. */
  readonly size: Bytes;
  /** The host that has the data. */
  readonly from: string;
  readonly hosts: readonly {
    readonly name: string;
    readonly lv: string;
    readonly address: string;
    readonly port: number;
  }[];
}

/** This host and the requested peer, by their names. */
export async function membersOfConversion(hosts: Reachable, { to }: CheckedConvert): Promise<Members> {
  return membersAt(hosts, [(await hosts.host.facts()).hostname, to]);
}

/** Reads both hosts and fills in defaults. Throws one error that lists every refusal with its host. */
export async function planConvert(options: {
  readonly members: Members;
  /** The host that has the volume. */
  readonly own: string;
  readonly request: CheckedConvert;
}): Promise<ConvertPlan> {
  const { members, own, request } = options;
  const { vg, lv, name = lv, peerVg = vg, minor, port, connectMs } = request;
  const [first, second] = members;
  const [here, there] = first.place === own ? [first, second] : [second, first];
  checkNames(members, request);
  const found = refusals();
  const looks = await found.each(members, async ({ host, name: at }, attempt) => {
    const drbd = await attempt(() => on(at, () => checkDrbd(host)));
    if (drbd === undefined) return [];
    return [
      { name: at, ...drbd, taken: await attempt(() => on(at, () => checkNumbers(host, { port, minor }))) },
    ];
  });
  const numbers = looks.flat().flatMap(({ taken }) => taken ?? []);
  await found.try(() => checkSeries(looks.flat()));
  const source = await found.try(() => on(here.name, () => sourceOf(here.host, { vg, lv })));
  const group = await found.try(() => on(there.name, () => checkGroup(there.host, { vg: peerVg, lv })));
  const addresses = await found.try(() => pairOf(members, request.addresses));
  const free = numbers.length < 2 ? undefined : await found.try(() => nextFree(numbers));
  if (source === undefined || group === undefined || addresses === undefined || free === undefined) {
    found.throwAll();
    throw new TypeError('a refusal was not reported');
  }
  const { size } = source.lv;
  const lvSize = sizeFor([source.group, group], deviceSizeFor(size));
  await found.try(() =>
    on(here.name, () =>
      refuseFull(source.group, { name: lv, extents: (lvSize - size) / source.group.extentSize }),
    ),
  );
  await found.try(() => on(there.name, () => checkRoom(group, { lv, size: lvSize })));
  const config = await found.try(() =>
    configFor(members, {
      ...{ asked: 'drbd.convert', name, protocol: request.protocol, addresses },
      disks: members.map((each) => (each === here ? `/dev/${vg}/${lv}` : `/dev/${peerVg}/${lv}`)),
      ...{ port: port ?? free.port, minor: minor ?? free.minor },
    }),
  );
  await found.each(members, async ({ host, name: at }, attempt) => {
    const its = config?.hosts.find((each) => each.name === at);
    if (its !== undefined) await attempt(() => on(at, () => refuseTaken(host, { name, here: its })));
  });
  found.throwAll();
  if (config === undefined) throw new TypeError('a refusal was not reported');
  return {
    ...{ config, members, connectMs, lvSize, size: dataSize(lvSize) },
    generation: { uuid: newGeneration(), on: [here.name] },
    data: { on: here.name, bytes: size },
    source: { place: here.place, vg, name: lv, uuid: source.lv.uuid, path: `/dev/${vg}/${lv}`, size },
    target: { place: there.place, vg: peerVg },
  };
}

/**
 * Converts a volume: extends it by the size of the metadata, creates a volume of that size on the other host,
 * and makes one DRBD device of both. The device has the data of this host; the other host fetches all of it.
 */
export async function convertReplica(tx: Tx, hosts: Reachable, plan: ConvertPlan): Promise<ConvertedReplica> {
  const { source, target, lvSize, config } = plan;
  const { vg, name, uuid } = source;
  await reserveFirst(tx, hosts, plan.members, config.name);
  await allOf<unknown>([
    stepsOn(tx, hosts, source).lvm.resizeLv({ vg, name, uuid, size: lvSize, added: 'zeros' }),
    stepsOn(tx, hosts, target).lvm.createLv({ vg: target.vg, name, size: lvSize, content: 'zeros' }),
  ]);
  await joinHosts(tx, hosts, plan);
  return {
    ...{ name: config.name, device: deviceOf(plan), was: source.path, size: plan.size },
    from: plan.generation.on.join(),
    hosts: config.hosts.map((each) => ({
      ...{ name: each.name, address: each.address, port: each.port },
      lv: `${each.name === plan.data?.on ? vg : target.vg}/${name}`,
    })),
  };
}

/** The volume to convert. Throws if it is in use, or has DRBD metadata at its end. */
async function sourceOf(
  host: ReadHost,
  { vg, lv: name }: { readonly vg: string; readonly lv: string },
): Promise<{ readonly lv: LogicalVolume; readonly group: WholeGroup }> {
  const group = await usableVg(host, vg);
  const lv = volumeNamed(group, { name });
  const among = { lv, all: group.volumes };
  refuseKind(among);
  refuseUnknownActivation(lv);
  if (lv.active !== true)
    throw new RefusedError(`${lv.fullName} is not active`, { remedy: `bofh lvm activate ${lv.fullName}` });
  if ((await holdersOf(host, among)).length > 0) throw inUse(lv, await everyHolderOf(host, among));
  const content = await recognise(host, lv.dmPath);
  if (content?.type === 'drbd')
    throw new RefusedError(
      `${lv.fullName} has metadata of DRBD already (uuid ${content.uuid ?? 'unknown'})`,
      {
        remedy: `if its resource no longer exists, remove it: wipefs --all --types drbd /dev/${lv.fullName}`,
      },
    );
  return { lv, group };
}
