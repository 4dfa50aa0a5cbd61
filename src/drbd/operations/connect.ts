import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { until } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { NotDone, RefusedError } from '../../core/errors.ts';
import { noteOf, writeNote } from '../../file/notes.ts';
import { refuseWithoutAddress } from '../address.ts';
import { otherAddresses } from '../differences.ts';
import { dataInWords, dataNow, dataState, refuseOtherData } from '../generation.ts';
import { refusedConnectionChoices, refusedConnection } from '../problems.ts';
import type { PeerVolume, ResourceState } from '../state.ts';
import { drbdConnect, drbdDisconnect } from '../volume-commands.ts';
import {
  another,
  args,
  askedHere,
  askedUp,
  byTools,
  claimsOf,
  holdersOf,
  isStandAlone,
  leftOf,
  minorsOf,
  now,
  refuseOtherAddresses,
  refuseUsed,
  resourceName,
  upAgain,
} from './known-resource.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  to: z.enum(['connected', 'disconnected']),
  mine: z.enum(['kept', 'discarded']),
  /**
   * Only if local data is discarded: a file, kept until the next boot, which shows that this step has
   * started the connection already.
   */
  note: z.exactOptional(z.string()),
  /**
   * The resource was connecting when the step was journalled, so the step disconnects it first. Never set in
   * an older journal.
   */
  was: z.exactOptional(z.literal('looking')),
  /** Only if local data is discarded: its generation; missing in an older journal. */
  ordered: z.exactOptional(dataState),
});

type Undo = z.infer<typeof undo>;

const common = { version: 1, undo, result: z.null(), lives: 'boot', restores: 'state' } as const;

/**
 * Connects a StandAlone resource to its peers again. `discardMyData`, after a split brain, discards
 * all data that was written on this host since then. That step is irreversible, so it runs after
 * the commit. `discardMyData` also works for a resource that is already connecting: after a split
 * brain, DRBD 8.4 leaves only one host StandAlone, and the other one may not have detected it yet.
 * The undo disconnects the resource, but never while a resync overwrites the data of this host.
 */
export const connect = operation({
  ...common,
  kind: 'drbd.connect',
  args: z.strictObject({
    /** Name of the resource, as in its configuration. */
    name: resourceName,
    /** This host discards its data where the two hosts differ. */
    discardMyData: z.exactOptional(z.literal(true)),
  }),
  prepare: async ({ args: { name, discardMyData }, mark, host }): Promise<Undo> => {
    const found = await askedUp(host, name);
    const { state } = found;
    await refuseWithoutAddress(host, found, drbdConnect(name, 'kept'));
    const isAlone = isStandAlone(state);
    if (!isAlone) refuseConnecting(state, discardMyData === true ? 'discarded' : 'kept');
    if (discardMyData !== true) return undoOf(state, { to: 'connected', mine: 'kept' });
    const of: Undo = {
      ...undoOf(state, { to: 'connected', mine: 'discarded' }),
      note: noteOf(mark),
      ...(isAlone ? {} : { was: 'looking' }),
      ordered: await dataNow(host, state, volumesOf(state)),
    };
    await checkDiscard(host, state, of);
    return of;
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  defers: ({ undo: { mine } }) => mine === 'discarded',
  run: async ({ undo: of, host }) => {
    const state = await now(host, of);
    if (typeof state === 'string' || !isStandAlone(state)) throw notDone(of);
    await host.run(drbdConnect(of.name, 'kept'));
    await refuseSplit(host, of);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }): Promise<Look> => {
    if (of.mine === 'discarded') return lookLater(host, of);
    const state = await now(host, of);
    if (state === 'other') return another(of);
    if (state === 'absent' || isStandAlone(state)) return { state: 'gone' };
    // While the data is replicated, the undo would take the replica away from the holders.
    return { state: 'ours', holders: isReplicated(state) ? await holdersOf(host, of.minors) : [] };
  },
  revert: async ({ undo: of, host }) => {
    const state = await now(host, of);
    if (typeof state === 'string' || isStandAlone(state)) return;
    await byTools(async () => {
      refuseNeededConnection(state);
      refuseOverwritten(state);
      await host.run(drbdDisconnect(of.name));
    });
  },
  afterCommit: async ({ undo: of, host }) => {
    const state = await upAgain(host, of);
    const isAlone = isStandAlone(state);
    if (!isAlone && isConnected(state)) return;
    await checkData(host, state, of);
    await byTools(() => checkDiscard(host, state, of));
    // If the resource is connecting already, drbdsetup 9.22 fails with "(102) Local address(port)
    // already in use".
    if (!isAlone) await host.run(drbdDisconnect(of.name));
    if (of.note !== undefined && (await host.stat(of.note)) === undefined) await writeNote(host, of.note);
    await host.run(drbdConnect(of.name, 'discarded'));
    await refuseSplit(host, of);
  },
  describe: manualRecovery,
});

/**
 * Disconnects a resource, which continues without its peers. Refused while a peer, or this host, uses the
 * data of the other host. The undo connects the resource, and a resync transfers all data written in between.
 */
export const disconnect = operation({
  ...common,
  kind: 'drbd.disconnect',
  args,
  prepare: async ({ args: { name }, host }): Promise<Undo> => {
    const { state } = await askedUp(host, name);
    if (isStandAlone(state))
      throw new RefusedError(`${name} is StandAlone already`, {
        remedy: `there is nothing to do; see: bofh drbd status ${name}`,
      });
    refuseMixed(state);
    refuseNeededConnection(state);
    return undoOf(state, { to: 'disconnected', mine: 'kept' });
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  run: async ({ undo: of, host }) => {
    const state = await now(host, of);
    if (typeof state === 'string' || isStandAlone(state)) throw notDone(of);
    refuseNeededConnection(state);
    await host.run(drbdDisconnect(of.name));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }): Promise<Look> => {
    const state = await now(host, of);
    if (state === 'other') return another(of);
    if (state === 'absent') return { state: 'not-ours', found: `${of.name} is down now` };
    // Connected with other addresses than those in the file: still `ours`, so that the undo runs and refuses.
    return { state: isStandAlone(state) || (await otherAddresses(host, state)).length > 0 ? 'ours' : 'gone' };
  },
  revert: async ({ undo: of, host }) => {
    const state = await now(host, of);
    if (typeof state === 'string') return;
    if (!isStandAlone(state)) return refuseOtherAddresses(host, state);
    const command = drbdConnect(of.name, 'kept');
    await refuseWithoutAddress(host, await askedHere(host, of.name), command);
    await host.run(command);
    // Both hosts may have been written to meanwhile.
    await refuseSplit(host, of);
  },
  describe: manualRecovery,
});

/**
 * The look of a step that discards data: `ours` until it is done. A resource that was brought down and up
 * again meanwhile connects by itself, and has discarded nothing.
 */
async function lookLater(host: ReadHost, of: Undo): Promise<Look> {
  const found = await leftOf(host, of);
  if (found.is === 'another') return found.look;
  if (found.is === 'down' || isStandAlone(found.state)) return { state: 'ours' };
  const isAsked = of.note !== undefined && (await host.stat(of.note)) !== undefined;
  return { state: isAsked || isConnected(found.state) ? 'gone' : 'ours' };
}

function isReplicated({ connections }: ResourceState): boolean {
  return connections.some(
    ({ state, volumes }) => state === 'Connected' && volumes.every(({ disk }) => disk === 'UpToDate'),
  );
}

function isConnected({ connections }: ResourceState): boolean {
  return connections.every(({ state }) => state === 'Connected');
}

function undoOf(state: ResourceState, how: Pick<Undo, 'to' | 'mine'>): Undo {
  return { name: state.name, minors: [...minorsOf(state)], ...how };
}

/** Refuses a resource that is not StandAlone. With `discarded`, refuses only one that is connected. */
function refuseConnecting({ name, connections }: ResourceState, mine: Undo['mine']): void {
  const alone = connections.find(({ state }) => state === 'StandAlone');
  if (alone !== undefined && mine === 'kept')
    throw new RefusedError(
      `${name} is StandAlone only towards the peer ${alone.peer}: bofh connects only a resource that is disconnected from all peers`,
      {
        remedy: `connect it to that peer: drbdadm connect ${name}:${alone.peer}; see: bofh drbd status ${name}`,
      },
    );
  const met = connections.find(({ state }) => state === 'Connected');
  if (met !== undefined)
    throw new RefusedError(`${name} is connected to ${met.peer} already`, {
      remedy: `there is nothing to do; see: bofh drbd status ${name}`,
    });
  if (mine === 'discarded' && connections.length > 0) return;
  throw new RefusedError(`${name} tries to connect to its peers already`, {
    remedy: `see: bofh drbd status ${name}; if its peer is StandAlone, run on the peer: bofh drbd connect ${name}; after a split brain, if the data of this host may be lost, run here first: bofh drbd connect --discard-my-data ${name}`,
  });
}

/** Refuses if only some peers are connected: the undo would connect the others too. */
function refuseMixed({ name, connections }: ResourceState): void {
  const alone = connections.find(({ state }) => state === 'StandAlone');
  if (alone !== undefined)
    throw new RefusedError(
      `${name} is already disconnected from the peer ${alone.peer}, but not from the others: the undo would connect all of them`,
      {
        remedy: `disconnect the others yourself: drbdadm disconnect ${name}:PEER`,
      },
    );
}

/** Refuses to disconnect a host that needs the data of the other one. */
function refuseNeededConnection({ name, role, volumes, connections }: ResourceState): void {
  const bad = volumes.find(({ disk }) => disk !== 'UpToDate');
  if (role === 'Primary' && bad !== undefined)
    throw new RefusedError(
      `${name} is primary on this host, whose volume ${String(bad.volume)} is ${bad.disk}: it works with the data of its peer`,
      { remedy: `wait until it is up to date: bofh drbd wait-sync ${name}` },
    );
  for (const { peer, role: theirs, volumes: its } of connections)
    for (const { volume, disk } of its)
      if (theirs === 'Primary' && disk !== 'UpToDate')
        throw new RefusedError(
          `${peer} is primary of ${name}, but its own disk of volume ${String(volume)} is ${disk}: it uses the data of this host`,
          { remedy: `wait until its disk is up to date: bofh drbd wait-sync ${name}` },
        );
}

/**
 * Refuses the undo while a resync overwrites the data of this host: without the connection it would
 * have neither the old data nor the new one.
 */
function refuseOverwritten({ name, volumes, connections }: ResourceState): void {
  for (const { volume, disk } of volumes)
    if (
      disk === 'Inconsistent' &&
      connections.some((each) => each.volumes.some((its) => its.volume === volume && isTarget(its)))
    )
      throw new RefusedError(
        `volume ${String(volume)} of ${name} receives a resync: before its end, this host has no usable copy of the data`,
        {
          remedy: `wait until it is up to date: bofh drbd wait-sync ${name} (if it is paused: drbdadm resume-sync ${name}); then: bofh recover`,
        },
      );
}

function isTarget({ replication }: PeerVolume): boolean {
  return ['StartingSyncT', 'WFBitMapT', 'WFSyncUUID', 'SyncTarget', 'PausedSyncT'].includes(replication);
}

/** Refuses to discard data that is in use. */
async function checkDiscard(host: ReadHost, state: ResourceState, { mine, ...of }: Undo): Promise<void> {
  if (mine === 'kept') return;
  await refuseUsed(host, of);
  if (state.role === 'Primary')
    throw new RefusedError(`${of.name} is primary on this host: its data is not discarded`, {
      remedy: `make it secondary first: bofh drbd secondary ${of.name}`,
    });
}

/**
 * Refuses to discard other data than the step recorded. A resource that was connecting may be
 * StandAlone now, because of the first half of this step or because the peer refused it again; the
 * data is the same.
 */
async function checkData(host: ReadHost, state: ResourceState, of: Undo): Promise<void> {
  const is = await dataNow(host, state, volumesOf(state));
  const was =
    of.ordered !== undefined && of.was === 'looking' && isStandAlone(state)
      ? { ...of.ordered, connections: is.connections }
      : of.ordered;
  const order = `bofh drbd connect --discard-my-data ${of.name}`;
  refuseOtherData(of.name, { was, is, mark: of.note ?? '', order });
}

function volumesOf({ volumes }: ResourceState): readonly number[] {
  return volumes.map(({ volume }) => volume);
}

/** Waits up to 3 seconds, in which a reachable peer answers. Throws RefusedError if that shows a split brain. */
async function refuseSplit(host: ChangeHost, of: Undo): Promise<void> {
  const seen = { alone: false };
  await until({
    limitMs: 3000,
    check: async () => {
      const state = await now(host, of);
      seen.alone = typeof state !== 'string' && isStandAlone(state);
      return (
        seen.alone ||
        typeof state === 'string' ||
        state.connections.every((each) => each.state === 'Connected')
      );
    },
  });
  const ends =
    of.mine === 'kept' && of.to === 'connected'
      ? ''
      : 'The sequence stays unfinished until you give it up: bofh recover --abandon ID --because "…"; for the ID: bofh journal list. ';
  if (seen.alone)
    throw new RefusedError(
      `${of.name} is StandAlone again, because one of the two hosts refused the connection: ${refusedConnection}`,
      {
        remedy: `${ends}See which host refused the connection: dmesg | grep drbd. ${refusedConnectionChoices(of.name)}`,
      },
    );
}

function notDone({ name }: Undo): NotDone {
  return new NotDone(`${name} has changed; nothing was done`, {
    found: `the DRBD resource ${name}, changed by another process`,
    remedy: `see what it is: bofh drbd status ${name}`,
  });
}

function manualRecovery({
  undo: { name, to, mine, was, ordered },
  way,
}: {
  readonly undo: Undo;
  readonly way: 'back' | 'forward';
}) {
  const discard = mine === 'discarded' && way === 'forward' ? ['--discard-my-data'] : [];
  const lost =
    mine === 'kept'
      ? ''
      : `, and data that was written on this host since the disconnect will be lost${ordered === undefined ? '' : ` (recorded: ${dataInWords(ordered)})`}`;
  const connects = (to === 'connected') === (way === 'forward');
  return {
    what: `the DRBD resource ${name}, which ${to === 'connected' ? 'connects to its peers' : 'is StandAlone'}${lost}`,
    look: [['drbdsetup', 'events2', '--now', name]],
    clear: [
      ...(discard.length > 0 && was === 'looking' ? [['drbdadm', 'disconnect', name]] : []),
      ['drbdadm', ...(connects ? ['connect', ...discard] : ['disconnect']), name],
    ],
  };
}
