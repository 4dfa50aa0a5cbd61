import { isIPv6 } from 'node:net';
import { present } from '../core/present.ts';
import { addressesOf, connectionsOf } from './config.ts';
import type { Resource } from './reads.ts';
import {
  type Connection,
  type PeerVolume,
  reconnect,
  type ResourceState,
  type VolumeState,
} from './state.ts';

/** A problem of a resource, and its remedy. */
export interface Finding {
  /** `problem`: data is at risk, or no program can write. `note`: a state that should not last. */
  readonly level: 'problem' | 'note';
  readonly words: string;
  readonly remedy: string;
}

/** Every problem of a resource; empty if it is up, complete and connected. */
export function findings({ name, configured, here, state }: Resource): readonly Finding[] {
  if (state === undefined && configured !== undefined && here === undefined)
    return [
      note(
        'its configuration has no "on" section for this host',
        `see which hosts it has: bofh drbd show ${name}`,
      ),
    ];
  if (state === undefined)
    return [{ level: 'note', words: 'it is not up', remedy: `bring it up: bofh drbd up ${name}` }];
  return [
    ...(configured === undefined
      ? [note('it is up, but no file of the configuration has it', `see what it is: drbdsetup show ${name}`)]
      : []),
    ...incomplete({ name, ...present({ configured, here }) }, state),
    ...ofState(name, state),
  ];
}

/** Notes on volumes and connections that the configuration has, and the kernel does not. */
function incomplete(
  { name, configured, here }: Pick<Resource, 'name' | 'configured' | 'here'>,
  { volumes, connections }: ResourceState,
): readonly Finding[] {
  const [own, all] = [here?.volumes ?? [], volumes.map(({ volume }) => volume)];
  const missing = own.flatMap(({ volume }) => (all.includes(volume) ? [] : [String(volume)]));
  const wanted = configured === undefined || here === undefined ? [] : connectionsOf(configured, here);
  const peers = wanted.filter(({ hosts }) => hosts.length > 1).length;
  const remedy = `see what differs: bofh drbd show ${name}; apply its configuration: bofh drbd adjust ${name}`;
  return [
    ...(missing.length === 0
      ? []
      : [note(`volume ${missing.join(', ')} of its configuration is not up`, remedy)]),
    ...(connections.length >= peers
      ? []
      : [
          note(
            `it has ${String(connections.length)} of the ${String(peers)} connections of its configuration`,
            remedy,
          ),
        ]),
  ];
}

/**
 * The findings for addresses of this host in the configuration that no interface has. bofh can still read the
 * configuration, and make the resource primary.
 */
export function missingAddresses(
  { here }: Pick<Resource, 'here'>,
  interfaces: readonly {
    readonly up: boolean;
    readonly addresses: readonly { readonly address: string }[];
  }[],
): readonly Finding[] {
  const own = interfaces.filter(({ up }) => up).flatMap(({ addresses }) => addresses);
  return (here === undefined ? [] : addressesOf(here))
    .filter(
      ({ family, address }) =>
        /^ipv[46]$/.test(family) && !own.some((each) => plain(each.address) === plain(address)),
    )
    .map(({ address }) =>
      problem(
        `its address ${address} is on no interface of this host that is up: it cannot reach a peer`,
        addressRemedy(address),
      ),
    );
}

/** The remedy for a missing address of this host. */
export function addressRemedy(address: string): string {
  return `bring the interface with it up, or give it one: ip address add ${address}/PREFIX dev INTERFACE; see: bofh network list`;
}

/** Normalizes an address: IPv6 can be written in several ways, and with the name of a link (`%eth0`). */
function plain(address: string): string {
  const [bare = ''] = address.split('%');
  return isIPv6(bare) ? new URL(`http://[${bare}]`).hostname : bare;
}

/**
 * The problems of a device that only the kernel reports, on a host without drbd-utils: its name is
 * unknown.
 */
export function kernelFindings({ state }: Pick<Resource, 'state'>): readonly Finding[] {
  const unknown = note(
    'drbd-utils is not installed, so its name and its configuration file are unknown',
    'install drbd-utils (the commands that are named here need it too): apt-get install drbd-utils',
  );
  return [unknown, ...(state === undefined ? [] : ofState('RESOURCE', state))];
}

function ofState(name: string, state: ResourceState): readonly Finding[] {
  const primaries = state.connections.filter(({ role }) => role === 'Primary');
  return [
    ...(state.suspended.length === 0
      ? []
      : [
          problem(
            `its I/O is suspended (${state.suspended.join(', ')})`,
            `remove the cause; then: drbdadm resume-io ${name}`,
          ),
        ]),
    ...(state.role === 'Primary' && primaries.length > 0
      ? [
          note(
            `it is primary here and on ${primaries.map(({ peer }) => peer).join(', ')}`,
            'only a cluster filesystem allows that',
          ),
        ]
      : []),
    ...state.volumes.flatMap((volume) => ofVolume(name, volume, state)),
    ...state.connections.flatMap((connection) => ofConnection(state, connection)),
  ];
}

function ofVolume(name: string, { volume, disk }: VolumeState, state: ResourceState): readonly Finding[] {
  const at = `volume ${String(volume)}`;
  switch (disk) {
    case 'UpToDate':
      return [];
    case 'Diskless':
      return [problem(`${at} has no disk here`, `attach it: bofh drbd attach ${name}`)];
    case 'Inconsistent':
      return [
        note(
          `${at} is inconsistent here: its data cannot be used`,
          'it becomes consistent by a resync from a peer that is up to date',
        ),
      ];
    case 'Outdated':
    case 'Consistent':
      return [
        note(`${at} is ${disk.toLowerCase()} here: the peer may have newer data`, reconnect(name, state)),
      ];
    default:
      return [problem(`${at} is ${disk} here`, 'see the kernel log: dmesg | grep drbd')];
  }
}

/** The reason text if DRBD refuses to connect two hosts; the exact reason is only in their kernel logs. */
export const refusedConnection =
  'both hosts wrote to the device while they were not connected (split brain), or their data has no common origin (unrelated data)';

/** The commands from which an administrator chooses: they decide which host discards its data. */
export function refusedConnectionChoices(name: string): string {
  const lose = `bofh drbd secondary ${name}; bofh drbd connect --discard-my-data ${name}`;
  const fetch = `bofh drbd down ${name}; bofh drbd create-md ${name} (it names the content to overwrite); bofh drbd up ${name}`;
  return `If it is a split brain ("Split-Brain detected"), choose whose data to lose. That of this host: ${lose}; and on the other host, if it is StandAlone: bofh drbd connect ${name}. That of the other host: there the same, and here, if it is StandAlone: bofh drbd connect ${name}. If the data is unrelated ("Unrelated data, aborting"), --discard-my-data does not help: the host that gives up its data needs new metadata, and then resyncs all data: ${fetch}; and on the other one, if it is StandAlone: bofh drbd connect ${name}`;
}

const log = 'see the kernel log: dmesg | grep drbd';

function ofConnection(
  { name, connections, ...own }: ResourceState,
  { peer, state, volumes }: Connection,
): readonly Finding[] {
  // bofh connects only a resource that is disconnected from all peers.
  const connect = connections.every((each) => each.state === 'StandAlone')
    ? `bofh drbd connect ${name}`
    : `drbdadm connect ${name}:${peer}`;
  if (state === 'StandAlone')
    return [
      problem(
        `it is StandAlone: it does not try to connect to ${peer}. Either it was disconnected by hand, or DRBD has refused the connection: ${refusedConnection}`,
        `${log}. If it was disconnected: ${connect}. ${refusedConnectionChoices(name)}`,
      ),
    ];
  if (state !== 'Connected')
    return [
      note(
        `it has no connection to ${peer} (${state})`,
        `see whether the peer is up and can be reached at the address of the resource, and what it shows itself: bofh drbd status ${name}, there. If it is StandAlone there because an administrator disconnected it: bofh drbd connect ${name}, there. If it is StandAlone for another reason, DRBD has refused the connection: ${refusedConnection}; see the kernel log of both hosts, because only one of them may show why: ${log}. ${refusedConnectionChoices(name)}`,
      ),
    ];
  return volumes.flatMap((volume) => {
    const others = connections.filter((each) => each.state === 'Connected' && each.peer !== peer);
    const good = others.filter((each) =>
      each.volumes.some((its) => its.volume === volume.volume && its.disk === 'UpToDate'),
    );
    const isGood = own.volumes.some((its) => its.volume === volume.volume && its.disk === 'UpToDate');
    const copies = [...(isGood ? ['this host'] : []), ...good.map((each) => each.peer)];
    return ofPeer(name, peer, { ...volume, copies: good.length === 0 ? [] : copies });
  });
}

function ofPeer(
  name: string,
  peer: string,
  {
    volume,
    replication,
    disk,
    paused,
    copies,
  }: PeerVolume & {
    /** The hosts with good data; empty if no other peer is known to have it. */
    readonly copies: readonly string[];
  },
) {
  const at = `volume ${String(volume)}`;
  const stopped =
    paused.length === 0
      ? []
      : [note(`${at} does not resync (${paused.join(', ')})`, continued(name, peer, paused))];
  if (replication !== 'Established')
    return [
      ...stopped,
      note(`${at} is in ${replication} with ${peer}`, `see how far: bofh drbd wait-sync ${name}`),
    ];
  if (disk === 'UpToDate') return stopped;
  if (copies.length > 0)
    return [
      ...stopped,
      note(
        `${at} is ${disk} on ${peer}; it is up to date on ${copies.join(', ')}`,
        `on ${peer}: bofh drbd status ${name}`,
      ),
    ];
  return [
    ...stopped,
    problem(
      `${at} is ${disk} on ${peer}: this host has the only good copy, or there is none`,
      `on ${peer}: bofh drbd status ${name}`,
    ),
  ];
}

/** Each host can end only its own pause; a dependency ends with the other resync (`resync-after`). */
function continued(name: string, peer: string, paused: readonly string[]): string {
  const resume = `bofh drbd resume-sync ${name}`;
  const ways = [
    ...(paused.includes('user') ? [`continue it: ${resume}`] : []),
    ...(paused.includes('peer') ? [`continue it on ${peer}: ${resume}`] : []),
    ...(paused.includes('dependency') ? [`wait until the resync before it ends: bofh drbd status`] : []),
  ];
  return ways.length === 0 ? log : ways.join('; ');
}

function note(words: string, remedy: string): Finding {
  return { level: 'note', words, remedy };
}

function problem(words: string, remedy: string): Finding {
  return { level: 'problem', words, remedy };
}
