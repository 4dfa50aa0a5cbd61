import * as z from 'zod/mini';
import { commonKey } from '../../atomic/locks/host-key.ts';
import { type Look, operation } from '../../atomic/operation.ts';
import { namingHolders } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type Holder, NotDone, RefusedError } from '../../core/errors.ts';
import { stateRecovery } from '../manual-recovery.ts';
import { connectionsOf } from '../config.ts';
import { drbdPrimary, drbdSecondary } from '../change-commands.ts';
import { states } from '../reads.ts';
import type { Role } from '../schema.ts';
import { reconnect, type ResourceState, unnamedPeer } from '../state.ts';
import { inWords, isReached, towards } from '../wait.ts';
import {
  args,
  asTools,
  askedUp,
  claimsOf,
  deviceOf,
  type Here,
  holdersOf,
  leftOf,
  now,
  refuseUsed,
  takesOver,
  type Undo,
  undo,
  undoOf,
} from './known-resource.ts';
import { present } from '../../core/present.ts';

/** The two operations are each other's inverse. */
const common = (to: 'primary' | 'secondary') => {
  const role: Role = to === 'primary' ? 'Primary' : 'Secondary';
  const isIt = (found: Awaited<ReturnType<typeof now>>): found is ResourceState =>
    typeof found === 'object' && found.role === role;
  return {
    ...{ version: 1, args, undo, result: z.null(), lives: 'boot', restores: 'state' },
    claims: async ({ undo: of, on }) => {
      const { changes, needs } = await claimsOf(of, on);
      // The demotion of a host is not undone while another host may be primary in its place.
      const both = of.hosts === undefined ? [] : [commonKey(`drbd:${of.name} on ${of.hosts.join(',')}`)];
      return to === 'secondary'
        ? { changes: [...changes, ...both], needs }
        : { changes, needs: [...needs, ...both] };
    },
    run: async ({ undo: of, host }) => {
      const found = await now(host, of);
      if (isIt(found))
        throw new NotDone(`${of.name} is ${to} now; nothing was done`, {
          found: `the DRBD resource ${of.name}, made ${to} by another process`,
          remedy: `see its state on both hosts: bofh drbd status ${of.name}; then run the command again`,
        });
      await make(host, of, to);
      return null;
    },
    value: ({ undo: { name, minors } }) => ({ name, devices: minors.map(deviceOf) }),
    look: async ({ undo: of, host }): Promise<Look> => {
      const found = await now(host, of);
      const blocks = await unsent(host, of);
      if (isIt(found))
        return {
          ...{ state: 'ours', ...present({ blocks }) },
          holders: [...(await holdersOf(host, of.minors)), ...lostPeers(found, of)],
        };
      // Also if others demoted this host or brought it down, or it was booted: the next step of the undo makes the
      // peer primary.
      if (blocks !== undefined) return { state: 'ours', found: blocks.why, blocks };
      if (typeof found === 'object' || (to === 'primary' && found === 'absent')) return { state: 'gone' };
      return {
        state: 'not-ours',
        found: `${of.name} is ${found === 'absent' ? 'down' : 'another resource'} now`,
      };
    },
    revert: async ({ undo: of, host }) => {
      const blocks = await unsent(host, of);
      if (blocks !== undefined) throw new RefusedError(blocks.why, { remedy: blocks.remedy });
      if (isIt(await now(host, of))) await make(host, of, to === 'primary' ? 'secondary' : 'primary');
    },
    describe: stateRecovery,
  } as const satisfies Partial<Parameters<typeof operation<z.infer<typeof args>, Undo, null, unknown>>[0]>;
};

/**
 * Makes this host primary for a resource, so that its devices can be used. Refused if the data of this host
 * is not up to date, and while another host is primary, unless the resource allows two. The role lasts until
 * the next boot.
 */
export const primary = operation({
  ...common('primary'),
  kind: 'drbd.primary',
  args: z.extend(args, {
    /** The peer was primary until this sequence demoted it, and will be again if the sequence is undone. */
    takesOver,
  }),
  prepare: async ({ args: { name, takesOver: takes }, host }) => {
    const found = await askedUp(host, name);
    refuseAlready(found.state, 'Primary');
    refuseTwo(found, found.state);
    const bad = found.state.volumes.find(({ disk }) => disk !== 'UpToDate');
    if (bad !== undefined)
      throw new RefusedError(
        `volume ${String(bad.volume)} of ${name} is ${bad.disk} on this host, not UpToDate`,
        {
          remedy: `see what it lacks: bofh drbd status ${name}; if this data is known to be the good one: drbdadm primary --force ${name}`,
        },
      );
    const taken = present({ takesOver: takes });
    return { ...undoOf(found, 'primary'), ...hostsOf(found), ...taken };
  },
});

/**
 * Why an undo must not make the peer primary again yet: it may lack data that was written here. Without a connection
 * DRBD would keep both versions, and the next connection would end as a split brain (8.4.11). Undefined: it lacks none.
 */
async function unsent(host: ReadHost, of: Undo): Promise<Look['blocks']> {
  if (of.takesOver !== true) return undefined;
  // Also if it has other volumes now: those of the step may still have data that was not sent.
  const state = (await states(host)).find(({ name }) => name === of.name);
  if (state === undefined ? (await leftOf(host, of)).is === 'another' : isSent(state)) return undefined;
  const { hostname } = await host.facts();
  const how = state === undefined ? 'it is down' : towards(state).map(inWords).join('; ');
  return {
    why: `${of.name} on ${hostname} may have data that its peer lacks (${how})`,
    remedy: `on ${hostname}, ${asTools(reconnect(of.name, state))}; then, on the host where the sequence was started: bofh recover`,
  };
}

function isSent(state: ResourceState): boolean {
  return state.connections.length > 0 && isReached(state, 'sync');
}

/**
 * Makes this host secondary for a resource whose devices are unused. The role lasts until the next boot, and
 * the host is secondary after the boot too.
 */
export const secondary = operation({
  ...common('secondary'),
  kind: 'drbd.secondary',
  endsAccess: true,
  prepare: async ({ args: { name }, host }) => {
    const found = await askedUp(host, name);
    refuseAlready(found.state, 'Secondary');
    const of = { ...undoOf(found, 'secondary'), ...hostsOf(found) };
    await refuseUsed(host, of);
    return { ...of, met: connectedTo(found.state) };
  },
});

function connectedTo({ connections }: ResourceState): number[] {
  return connections.flatMap(({ state, nodeId }) => (state === 'Connected' ? [nodeId] : []));
}

/**
 * The peers that were connected when this host was demoted, and are not now: one of them may have become
 * primary, and have newer data. The rollback of a running sequence does not wait for them.
 */
function lostPeers(state: ResourceState, { met = [] }: Undo): readonly Holder[] {
  const now = connectedTo(state);
  return met.flatMap((nodeId) => {
    if (now.includes(nodeId)) return [];
    const { peer = unnamedPeer } = state.connections.find((each) => each.nodeId === nodeId) ?? {};
    const its = peer === unnamedPeer ? 'its peer' : `its peer ${peer}`;
    const words = `${its} is not connected any more, and may be primary and have newer data`;
    return [{ kind: 'unknown', words }];
  });
}

function hostsOf({ configured }: Here): Pick<Undo, 'hosts'> {
  return configured === undefined ? {} : { hosts: configured.hosts.flatMap(({ names }) => names).sort() };
}

async function make(host: ChangeHost, of: Undo, to: 'primary' | 'secondary'): Promise<void> {
  if (to === 'primary') return host.run(drbdPrimary(of.name));
  await refuseUsed(host, of);
  await namingHolders(host, deviceOf(of.minors[0] ?? 0), () => host.run(drbdSecondary(of.name)));
}

function refuseAlready({ name, role, connections }: ResourceState, wanted: Role): void {
  if (role !== wanted) return;
  const others = connections.filter((each) => wanted === 'Primary' && each.role === wanted);
  if (others.length > 0) throw primaryOnBoth(name, ['this host', ...others.map(({ peer }) => peer)]);
  throw new RefusedError(`${name} is ${wanted.toLowerCase()} on this host already`, {
    remedy: `there is nothing to do; see: bofh drbd status ${name}`,
  });
}

/** The error if both hosts report that they are primary. */
export function primaryOnBoth(name: string, hosts: readonly string[]): RefusedError {
  return new RefusedError(`${name} is primary on ${hosts.join(' and ')}`, {
    remedy: `only a cluster filesystem allows that; otherwise, on the host that must not write: bofh drbd secondary ${name}`,
  });
}

function refuseTwo({ configured, here }: Here, { name, connections }: ResourceState): void {
  const other = connections.find(({ role }) => role === 'Primary');
  if (other === undefined) return;
  const own = configured === undefined ? [] : connectionsOf(configured, here);
  const named = own.filter(({ hosts }) => hosts.includes(other.peer));
  // 8.4 does not report the name of the peer: it has only one connection.
  const between = named.length > 0 ? named : own;
  if (
    between.length > 0 &&
    between.every(({ net: { 'allow-two-primaries': allowed } }) => allowed === '' || allowed === 'yes')
  )
    return;
  throw new RefusedError(`${other.peer} is primary of ${name}, and only one host can be`, {
    remedy: `make it secondary first, on ${other.peer}: bofh drbd secondary ${name}`,
  });
}
