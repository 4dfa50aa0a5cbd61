import { dataSize, inWords, towards } from '../drbd/index.ts';
import type { NewConfig } from '../drbd/new-config.ts';
import { removableFile } from '../drbd/operations/remove-config.ts';
import { withOtherPeer } from '../drbd/other-peer.ts';
import { ConnectionError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { textFile } from '../file/index.ts';
import type { LogicalVolume } from '../lvm/index.ts';
import { on, refusals } from '../core/refusals.ts';
import type { Bytes } from '../core/units.ts';
import { type Member, memberAt, type Reachable } from './hosts.ts';
import { namesIn, type Part, partsOf, refuseOlder, type UpPart, volumeAt } from './known-resource.ts';
import { planRemove, type RemovePlan } from './remove.ts';
import { replaceByHand, targetOf } from './replace-target.ts';
import type { CheckedReplace } from './request.ts';

/** This host, the new peer, and the current one unless it is lost. */
export type ReplaceMembers = readonly [own: Member, to: Member, ...from: Member[]];

/** The plan to replace the peer of a resource of this host. */
export interface ReplacePlan {
  readonly config: NewConfig;
  /** Content of its file, on both hosts. */
  readonly text: string;
  /** Permission bits of that file. */
  readonly mode: number;
  /** The hash of its current file, on which the new one is based. */
  readonly seen: string;
  readonly own: Member;
  readonly to: Member & { readonly vg: string; readonly lv: string; readonly size: Bytes };
  /**
   * The replaced peer: its name in the configuration, its disk, and the plan of its removal (undefined if the
   * peer is lost).
   */
  readonly from: {
    readonly name: string;
    readonly disk: string;
    readonly removal: RemovePlan | undefined;
  };
  /** `connecting` if the resource is connecting to its peer now. */
  readonly connection: 'connecting' | 'StandAlone';
  /** Size of the device. */
  readonly size: Bytes;
  readonly connectMs: number;
}

/** This host, the new peer, and the old one by its name in the configuration. */
export async function membersOfReplacement(
  hosts: Reachable,
  { name, to, from, old }: CheckedReplace,
): Promise<ReplaceMembers> {
  const own = await memberAt(hosts, (await hosts.host.facts()).hostname);
  const peer = await memberAt(hosts, to);
  if (peer.place === own.place || peer.name === own.name)
    throw new RefusedError(`"${to}" is this host itself, or has the same name (${own.name})`, {
      remedy: 'name its new peer',
    });
  if (old === 'lost') return [own, peer];
  const named = (await namesIn(hosts.host, name)).find((each) => each !== own.name) ?? '';
  const gone = await reachable(hosts, from ?? named);
  if (gone.place === own.place) throw new UsageError(`"${from ?? named}" is this host, whose data must stay`);
  if (gone.place === peer.place || gone.name === peer.name)
    throw new RefusedError(`${peer.name} is the peer of ${name} already`, {
      remedy: `if it was reinstalled, and has lost the resource: ${option('--lost', "old: 'lost'")}`,
    });
  return [own, peer, gone];
}

async function reachable(hosts: Reachable, asked: string): Promise<Member> {
  try {
    return await memberAt(hosts, asked);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new ConnectionError(error.message, {
      ...{ host: error.host, connection: error.connection, cause: error },
      remedy: `name it as it is reached (${option('--from HOST', 'from')}); or, if it never comes back: ${option('--lost', "old: 'lost'")}`,
    });
  }
}

/** Reads all hosts and fills in defaults. Throws one error that lists every refusal with its host. */
export async function planReplace(options: {
  readonly members: ReplaceMembers;
  readonly request: CheckedReplace;
}): Promise<ReplacePlan> {
  const { members, request } = options;
  const [own, to, gone] = members;
  const { name, connectMs } = request;
  const [part] = await partsOf(gone === undefined ? [own] : [own, gone], name);
  if (part === undefined) throw new TypeError('a host without its part');
  const up = await on(own.name, () => goodPart(part));
  const from = fromOf(up);
  if (gone !== undefined && gone.name !== from)
    throw new UsageError(`the peer of ${name} is ${from}, and not ${gone.name}`);
  const found = refusals();
  await found.try(() => refuseNeeded(up, request));
  if (request.old !== 'lost' && request.volumes === 'removed')
    await found.try(() => on(own.name, () => refuseOlder(up, { of: from })));
  const source = await found.try(() => on(own.name, () => sourceOf(up)));
  const removal =
    gone === undefined
      ? undefined
      : await found.try(() => planRemove({ members: [gone], name, volumes: request.volumes }));
  const target = await found.try(() => targetOf({ up, to, from, request, source: source?.lv }));
  const text =
    source === undefined || target === undefined
      ? undefined
      : await found.try(() => on(own.name, () => textWith(source.text, { up, from, config: target.config })));
  found.throwAll();
  if (source === undefined || target === undefined || text === undefined)
    throw new TypeError('a refusal was not reported');
  const { config, ...place } = target;
  return {
    ...{ config, text, mode: source.mode, seen: source.seen, own, connectMs, size: source.size },
    to: { ...to, ...place },
    from: { name: from, disk: diskOf(up, from), removal },
    connection: up.resource.state.connections.every(({ state }) => state === 'StandAlone')
      ? 'StandAlone'
      : 'connecting',
  };
}

function diskOf({ resource: { configured } }: UpPart, host: string): string {
  return configured?.hosts.find(({ names }) => names[0] === host)?.volumes[0]?.disk ?? '';
}

/** The new file of the resource on both hosts. */
function textWith(
  text: string,
  { up, from, config }: { readonly up: UpPart; readonly from: string; readonly config: NewConfig },
): string {
  const own = config.hosts.find(({ name }) => name === up.name);
  const to = config.hosts.find(({ name }) => name !== up.name);
  if (own === undefined || to === undefined)
    throw new TypeError(`the new configuration does not have both ${up.name} and another host`);
  const disk = { was: diskOf(up, from), is: to.volumes[0]?.disk ?? '' };
  return withOtherPeer(text, { name: config.name, own, from, to: { ...to, disk } });
}

/** Checks the part of this host: it must be up, with one volume, whose data is up to date. */
function goodPart(part: Part): UpPart {
  const { name, here, state } = part.resource;
  if (state === undefined)
    throw new RefusedError(`${name} is not up`, { remedy: `bring it up: bofh drbd up ${name}` });
  const bad = state.volumes.find(({ disk }) => disk !== 'UpToDate');
  if (bad !== undefined)
    throw new RefusedError(
      `volume ${String(bad.volume)} of ${name} is ${bad.disk} on this host, from which the new peer would copy all data`,
      {
        remedy: `wait until it is up to date: bofh drbd wait-sync ${name}; or run the command on the host whose data is up to date`,
      },
    );
  const [only, ...more] = here.volumes;
  if (only?.volume !== 0 || more.length > 0 || state.volumes.length !== 1)
    throw new RefusedError(
      `bofh can replace the peer only if the resource has one volume, with the number 0; the volumes of ${name} are: ${here.volumes.map(({ volume }) => volume).join(', ')}`,
      {
        remedy: replaceByHand(part.resource),
      },
    );
  return { ...part, resource: { ...part.resource, state } };
}

function fromOf({ name: own, resource: { configured } }: UpPart): string {
  const others = (configured?.hosts ?? []).flatMap(({ names }) => names.filter((each) => each !== own));
  const [only, ...more] = others;
  if (only !== undefined && more.length === 0 && configured?.hosts.length === 2) return only;
  throw new RefusedError(
    `the configuration of ${configured?.name ?? ''} does not name exactly two hosts, this one and its peer`,
    {
      remedy: `see for which: bofh drbd show ${configured?.name ?? ''}`,
    },
  );
}

/** Refuses while the data of the peer is in use, and a peer that counts as lost but is connected. */
function refuseNeeded({ resource: { name, state } }: UpPart, { old }: CheckedReplace): void {
  for (const { state: connection, role } of state.connections)
    if (connection === 'Connected' && (old === 'lost' || role === 'Primary'))
      throw new RefusedError(
        old === 'lost'
          ? `the peer of ${name} is not lost, but connected: ${towards(state).map(inWords).join('; ')}`
          : `the peer of ${name} is primary`,
        {
          remedy:
            old === 'lost'
              ? `leave out ${option('--lost', "old: 'lost'")}: bofh then also removes the part of the resource there`
              : `make this host primary first: bofh drbd promote ${name}`,
        },
      );
}

/** The logical volume here, which DRBD uses completely, and the file of the resource. */
async function sourceOf({ host, resource }: UpPart): Promise<{
  readonly lv: LogicalVolume;
  readonly size: Bytes;
  readonly text: string;
  readonly mode: number;
  readonly seen: string;
}> {
  const { name, here, state } = resource;
  const [{ disk, metadata } = {}] = here.volumes;
  const found = disk === undefined || metadata !== 'internal' ? undefined : await volumeAt(host, disk);
  const size = state.volumes[0]?.size;
  if (found === undefined || size === undefined)
    throw new RefusedError(`${name} is not on a logical volume with its metadata at the end`, {
      remedy: replaceByHand(resource),
    });
  const { lv } = found;
  // Connected peers agree on the size that both can store, and a device does not shrink again
  // (receive_sizes, 8.4).
  if (dataSize(lv.size) !== size)
    throw new RefusedError(
      `${lv.fullName} is larger than ${name} needs: with a new peer the resource would grow`,
      {
        remedy: `grow it first: bofh drbd grow ${name} max`,
      },
    );
  const { content: text, sha256: seen, mode } = await textFile(host, await removableFile(host, resource));
  return { lv, size, text, mode, seen };
}
