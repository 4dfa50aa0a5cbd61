import { until } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Bytes } from '../core/units.ts';
import { resourceNamed } from './reads.ts';
import { refusedConnectionChoices } from './problems.ts';
import type { DiskState, ReplicationState } from './schema.ts';
import { type Connection, reconnect, type ResourceState } from './state.ts';

/**
 * `connection`: connected to every peer. `sync`: also up to date on all hosts. `verify`: connected to every
 * peer, and no online verification is running.
 */
export type WaitFor = 'connection' | 'sync' | 'verify';

/** The state of a volume towards a peer. */
export interface Towards {
  readonly volume: number;
  readonly peer: string;
  readonly connection: Connection['state'];
  readonly replication: ReplicationState;
  readonly disk: DiskState;
  readonly peerDisk: DiskState;
  /** Progress of a resync from 0 to 1; undefined if none is running, or if its progress is unknown. */
  readonly done: number | undefined;
  readonly outOfSync: Bytes | undefined;
}

/** The state of every volume towards every peer, in their order. */
export function towards({ volumes, connections }: ResourceState): readonly Towards[] {
  return connections.flatMap(({ peer, state, volumes: theirs }) =>
    theirs.map(({ volume, replication, disk: peerDisk, outOfSync }) => {
      const own = volumes.find((each) => each.volume === volume);
      const size = own?.size ?? 0;
      return {
        ...{ volume, peer, connection: state, replication, peerDisk, outOfSync },
        disk: own?.disk ?? 'DUnknown',
        done:
          isResync(replication) && size > 0 && outOfSync !== undefined
            ? 1 - Math.min(outOfSync, size) / size
            : undefined,
      };
    }),
  );
}

/**
 * Whether a resync is running, so that `out-of-sync` shows how much is left. During a verification it
 * shows only the differences found so far (drbd_bm_total_weight, 8.4).
 */
export function isResync(replication: ReplicationState): boolean {
  return replication !== 'Off' && replication !== 'Established' && !isVerifying({ replication });
}

/** Whether the state is reached. */
export function isReached(state: ResourceState, what: WaitFor): boolean {
  const all = towards(state);
  switch (what) {
    case 'connection':
      return all.length > 0 && all.every(({ connection }) => connection === 'Connected');
    case 'sync':
      return all.length > 0 && all.every(isSynced);
    case 'verify':
      return all.length > 0 && all.every(isAtRest);
  }
}

function isSynced(each: Towards): boolean {
  return isAtRest(each) && each.disk === 'UpToDate' && each.peerDisk === 'UpToDate';
}

/** Connected, without a resync or a verification. */
function isAtRest({ connection, replication }: Towards): boolean {
  return connection === 'Connected' && replication === 'Established';
}

function isVerifying({ replication }: Pick<Towards, 'replication'>): boolean {
  return replication === 'VerifyS' || replication === 'VerifyT';
}

/**
 * Waits for the state, and reports each poll. Throws RefusedError on timeout, if the resource is down, and at
 * once if the resource cannot reach the state by itself: it is StandAlone, its resync is paused, or its
 * verification was interrupted.
 */
export async function waitUntil(
  host: ReadHost,
  {
    name,
    what,
    limitMs,
    signal,
    onLook = () => undefined,
  }: {
    /** Name of the resource, as in its configuration. */
    readonly name: string;
    /** The state to wait for. */
    readonly what: WaitFor;
    /** Time limit in milliseconds; then RefusedError is thrown. */
    readonly limitMs: number;
    /** Ends the wait; the thrown error is the reason of the signal. */
    readonly signal?: AbortSignal;
    /** Called with the state at each check. */
    readonly onLook?: (state: ResourceState) => void;
  },
): Promise<ResourceState> {
  let last: ResourceState | undefined;
  const check = async (): Promise<boolean> => {
    signal?.throwIfAborted();
    const { state } = await resourceNamed(host, name);
    if (state === undefined)
      throw new RefusedError(`${name} is not up`, { remedy: `bring it up: bofh drbd up ${name}` });
    last = state;
    onLook(state);
    if (isReached(state, what)) return true;
    refuseHopeless(state, what);
    return false;
  };
  const isReachedInTime = await until({ check, limitMs });
  if (isReachedInTime && last !== undefined) return last;
  const now = last === undefined ? '' : towards(last).map(inWords).join('; ');
  throw new RefusedError(
    `${name} has not reached that state after ${String(Math.round(limitMs / 1000))} s: ${now}`,
    {
      remedy: `see why: bofh drbd status ${name}; or wait longer with ${option('--time', 'limitMs')}`,
    },
  );
}

function refuseHopeless(state: ResourceState, what: WaitFor): void {
  const { name, connections } = state;
  if (what === 'verify') {
    refuseUnverified(state);
    return;
  }
  const alone = connections.find((each) => each.state === 'StandAlone');
  if (alone !== undefined)
    throw new RefusedError(`${name} is StandAlone: it does not try to connect to ${alone.peer}`, {
      remedy: `if an administrator disconnected it: bofh drbd connect ${name}. If not, see the kernel log: dmesg | grep drbd. ${refusedConnectionChoices(name)}`,
    });
  const paused = connections.flatMap(({ volumes }) => volumes).find((each) => each.paused.includes('user'));
  if (what === 'sync' && paused !== undefined)
    throw new RefusedError(
      `volume ${String(paused.volume)} of ${name} does not resync: the resync is paused on this host`,
      {
        remedy: `continue it: bofh drbd resume-sync ${name}`,
      },
    );
}

/** A lost connection ends a verification before all blocks are compared, and nothing resumes it. */
function refuseUnverified(state: ResourceState): void {
  const { name } = state;
  const other = towards(state).find(
    (each) => !isAtRest(each) && !(each.connection === 'Connected' && isVerifying(each)),
  );
  if (other === undefined) return;
  const first =
    other.connection === 'Connected'
      ? `wait for the resync: bofh drbd wait-sync ${name}`
      : reconnect(name, state);
  throw new RefusedError(
    `the verification of ${name} was interrupted, so the hosts may differ (${inWords(other)})`,
    { remedy: `${first}; then verify it again: bofh drbd verify ${name}` },
  );
}

/** Formats a state: `volume 0 to peer: SyncTarget, Inconsistent here, UpToDate there, 42.1 %`. */
export function inWords({ volume, peer, connection, replication, disk, peerDisk, done }: Towards): string {
  const what = connection === 'Connected' ? replication : connection;
  const part = done === undefined ? '' : `, ${(Math.floor(done * 1000) / 10).toFixed(1)} %`;
  return `volume ${String(volume)} to ${peer}: ${what}, ${disk} here, ${peerDisk} there${part}`;
}
