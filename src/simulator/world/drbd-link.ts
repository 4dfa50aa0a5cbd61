import { dataSize } from '../../drbd/index.ts';
import { type Device, deviceByNumber } from './devices.ts';
import { type DrbdResource, type DrbdVolume, justCreated } from './drbd.ts';
import type { Content } from './parts.ts';
import { placed } from '../tools/drbd/bytes.ts';
import { copyContent, settle, type World } from './world.ts';
import { present } from '../../core/present.ts';

/** The other hosts that the DRBD of each host can reach, and whether their cable is plugged now. */
const cables = new WeakMap<World, Map<World, () => boolean>>();

/** Connects the DRBD of two hosts, while the cable between them is plugged. */
export function linkDrbd(here: World, there: World, isPlugged: () => boolean = () => true): void {
  for (const [one, other] of [
    [here, there],
    [there, here],
  ] as const)
    cables.set(one, new Map([...(cables.get(one) ?? []), [other, isPlugged]]));
}

function reachedFrom(world: World): readonly World[] {
  return [...(cables.get(world) ?? [])].flatMap(([other, isPlugged]) => (isPlugged() ? [other] : []));
}

interface Peer {
  readonly at: World;
  readonly of: DrbdResource;
}

/**
 * Returns the resource on its other host, if each of the two hosts has the address of the other.
 */
function peerOf(world: World, own: DrbdResource): Peer | undefined {
  if (own.connection === 'StandAlone') return undefined;
  const [ours, theirs] = own.addresses;
  return reachedFrom(world)
    .flatMap((at) => at.drbd.resources.map((of) => ({ at, of })))
    .find(
      ({ of: { name, connection, addresses } }) =>
        name === own.name && connection !== 'StandAlone' && addresses[0] === theirs && addresses[1] === ours,
    );
}

/**
 * Whether a plan has changed the DRBD of another host. Then the model also has what this host sees
 * of it.
 */
export function isPeerChanged(world: World): boolean {
  return reachedFrom(world).some(({ drbd }) => drbd.config !== undefined);
}

/**
 * Updates what a resource sees of its peer. Without a link an administrator sets the state of the
 * peer.
 */
export function look(world: World): void {
  if (!cables.has(world)) return;
  for (const own of world.drbd.resources) {
    if (own.connection === 'StandAlone') continue;
    const peer = peerOf(world, own);
    // A resource of a real host, in a plan, whose peer the plan does not know.
    if (peer === undefined && own.addresses[0] === '') continue;
    const isNew = own.connection === 'Connecting' && peer !== undefined;
    if (own.connection === 'Connected' && peer === undefined && own.role === 'Primary') begin(world, own);
    own.connection = peer === undefined ? 'Connecting' : 'Connected';
    // The hosts agree on a size whenever they connect, even if neither is primary (receive_sizes of
    // drbd_receiver.c, 8.4).
    if (isNew) for (const { volume } of own.volumes) grow(world, own, volume);
    if (peer === undefined || meet(world, own, peer) === 'part') delete own.peer;
    else own.peer = { role: peer.of.role, disk: peer.of.volumes[0]?.disk ?? 'Diskless' };
  }
}

/**
 * Connects two hosts: one without data gets the data of the other at once; hosts with unrelated
 * data disconnect.
 */
function meet(world: World, own: DrbdResource, { at: there, of: peer }: Peer): 'stay' | 'part' {
  for (const volume of own.volumes) {
    const its = peer.volumes.find((each) => each.volume === volume.volume);
    if (its === undefined || volume.replication !== undefined || its.replication !== undefined) continue;
    const [ours, theirs] = [generationOf(world, volume), generationOf(there, its)];
    if (volume.disk === 'UpToDate' && its.disk === 'Inconsistent') {
      send({ from: world, volume }, { to: there, its });
      become(there, its, ours);
    } else if (volume.disk === 'Inconsistent' && its.disk === 'UpToDate') {
      send({ from: there, volume: its }, { to: world, its: volume });
      become(world, volume, theirs);
    } else {
      const fetches = fetching({ at: world, of: own, volume }, { at: there, of: peer, volume: its });
      if (fetches === 'own') {
        send({ from: there, volume: its }, { to: world, its: volume });
        for (const [at, each] of [
          [world, volume],
          [there, its],
        ] as const)
          become(at, each, theirs);
      } else if (fetches === 'peer') {
        send({ from: world, volume }, { to: there, its });
        for (const [at, each] of [
          [world, volume],
          [there, its],
        ] as const)
          become(at, each, ours);
      } else if (ours !== undefined && theirs !== undefined && ours !== theirs) {
        for (const each of [own, peer]) each.connection = 'StandAlone';
        return 'part';
      }
    }
  }
  for (const each of [own, peer]) delete each.discards;
  return 'stay';
}

interface Side extends Peer {
  readonly volume: DrbdVolume;
}

/**
 * Returns which of two up-to-date sides gets the data of the other: the one that discards its data,
 * or that was not written to since they disconnected (drbd_uuid_compare, 8.4).
 */
function fetching(own: Side, peer: Side): 'own' | 'peer' | undefined {
  const [ours, theirs] = [contentOf(own.at, own.volume), contentOf(peer.at, peer.volume)];
  if (own.volume.disk !== 'UpToDate' || peer.volume.disk !== 'UpToDate') return undefined;
  const [mine = justCreated, its = justCreated] = [ours?.generation, theirs?.generation];
  if (mine === its || !areRelated(ours, theirs)) return undefined;
  if (own.of.discards === true || (theirs?.bitmap === mine && ours?.bitmap === undefined)) return 'own';
  return peer.of.discards === true || (ours?.bitmap === its && theirs?.bitmap === undefined)
    ? 'peer'
    : undefined;
}

/**
 * Whether the metadata of one contains any generation of the other; if not, it is "Unrelated data,
 * aborting!" (drbd_sync_handshake, 8.4).
 */
function areRelated(...[ours, theirs]: readonly (Content | undefined)[]): boolean {
  const known = (of: Content | undefined) =>
    [of?.generation, of?.bitmap, ...(of?.history ?? [])].filter((each) => each !== undefined);
  return known(ours).some((each) => known(theirs).includes(each));
}

function contentOf(world: World, { lower: number }: DrbdVolume): Content | undefined {
  const lower = deviceByNumber(world, number);
  return lower === undefined ? undefined : world.live.get(lower.storage);
}

/** Writes to a resource. */
export function write(world: World, own: DrbdResource): void {
  for (const volume of own.volumes) volume.written = (volume.written ?? 0) + 4096;
  if (own.connection !== 'Connected') begin(world, own);
}

/**
 * Starts a new generation of the data, once (drbd_uuid_new_current, 8.4): when a primary loses its
 * peer (after_state_ch), and when a host without one becomes primary (drbd_set_role). Seen on
 * 8.4.11.
 */
export function begin(world: World, own: DrbdResource): void {
  for (const volume of own.volumes) {
    const lower = deviceByNumber(world, volume.lower);
    const content = contentOf(world, volume);
    if (lower === undefined || content?.bitmap !== undefined) continue;
    const generation = `${world.ids.uuid().replaceAll('-', '').slice(0, 14)}a0`;
    world.live.set(lower.storage, { ...content, generation, bitmap: content?.generation ?? justCreated });
    settle(world, lower.storage);
  }
}

function generationOf(world: World, volume: DrbdVolume): string | undefined {
  return contentOf(world, volume)?.generation;
}

/** Sends all data at once. */
function send(
  { from, volume }: { readonly from: World; readonly volume: DrbdVolume },
  { to, its }: { readonly to: World; readonly its: DrbdVolume },
): void {
  to.live.set(its.storage, copyContent(from.live.get(volume.storage) ?? {}));
  settle(to, its.storage);
}

function become(world: World, volume: DrbdVolume, generation: string | undefined): void {
  volume.disk = 'UpToDate';
  remember(world, volume, generation);
}

/** Makes the data of both hosts identical, at once. */
export function alike(world: World, own: DrbdResource): void {
  const peer = peerOf(world, own);
  if (peer === undefined) return;
  for (const volume of peer.of.volumes) {
    if (volume.disk === 'Diskless') continue;
    volume.disk = 'UpToDate';
    remember(peer.at, volume);
  }
  peer.at.revision += 1;
}

/** Records the generation in the metadata, too. */
export function remember(world: World, { lower: number }: DrbdVolume, generation?: string): void {
  const lower = deviceByNumber(world, number);
  if (lower === undefined) return;
  const said = present({ generation });
  const { bitmap, history = [], ...content } = world.live.get(lower.storage) ?? {};
  const past = bitmap === undefined ? history : [bitmap, ...history].slice(0, 2);
  world.live.set(lower.storage, {
    ...{ ...content, replica: 'UpToDate', ...said },
    ...(past.length === 0 ? {} : { history: past }),
  });
  settle(world, lower.storage);
}

/** Records the agreed size in the metadata, and moves it to the end of the disk. */
function agree(
  world: World,
  volume: DrbdVolume,
  { lower, size }: { readonly lower: Device; readonly size: number },
): void {
  volume.size = size;
  const content = world.live.get(lower.storage);
  if (content?.metadata === undefined) return;
  world.live.set(lower.storage, placed(lower, content, size));
  settle(world, lower.storage);
}

/** Grows a volume on every host to the size that all hosts can have. */
export function grow(world: World, own: DrbdResource, number: number): void {
  const peer = peerOf(world, own);
  const all = [{ at: world, of: own }, ...(peer === undefined ? [] : [peer])].flatMap(({ at, of }) =>
    of.volumes.filter((each) => each.volume === number).map((of) => ({ at, of })),
  );
  const rooms = all
    .flatMap(({ at, of }) => deviceByNumber(at, of.lower)?.size ?? [])
    .map((size) => dataSize(size));
  for (const { at, of } of all) {
    const lower = deviceByNumber(at, of.lower);
    if (lower !== undefined) agree(at, of, { lower, size: Math.min(...rooms) });
    at.revision += 1;
  }
}
