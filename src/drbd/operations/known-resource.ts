import * as z from 'zod/mini';
import { everyHolder, holders } from '../../blockdevice/index.ts';
import { inUse } from '../../blockdevice/in-use.ts';
import type { DeviceKeys, Key, Look } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import type { ConfiguredHost } from '../config.ts';
import { otherAddresses } from '../differences.ts';
import { configured, type Resource, resourceNamed, states } from '../reads.ts';
import type { ResourceState } from '../state.ts';

/**
 * Name of a resource: not `all`, which drbdadm reads as every resource, and without `/`, which means a
 * volume.
 */
export const resourceName = z.string().check(
  z.regex(/^[A-Za-z0-9_][\w.+-]*$/, 'must be letters, digits and _ . + -'),
  z.refine((name) => name !== 'all'),
);

export const args = z.strictObject({
  /** Name of the resource, as in its configuration. */
  name: resourceName,
});

/**
 * True: allowed while the resource is up. Only its configuration file changes, not the running
 * resource.
 */
export const whileUp = z.exactOptional(z.literal(true));

/** The peer was primary until this sequence demoted it, and will be again if the sequence is undone. */
export const takesOver = z.exactOptional(z.literal(true));

export const undo = z.strictObject({
  name: z.string(),
  /**
   * The minor numbers of its volumes, sorted. They distinguish this resource from another one with the same
   * name.
   */
  minors: z.array(z.int()),
  /** The backing devices, as the configuration names them. */
  disks: z.array(z.string()),
  to: z.enum(['up', 'down', 'primary', 'secondary']),
  /** Hosts of the resource, ordered by name; only for a change of its role. */
  hosts: z.exactOptional(z.array(z.string())),
  /** Only for `drbd.up`: the peer stays up, so the undo waits until it has ended their connection. */
  peerStays: z.exactOptional(z.literal(true)),
  takesOver,
  /**
   * Only for `drbd.secondary`: the node ids of the peers that were connected; missing in an older journal. A
   * peer that is not connected any more may be primary now.
   */
  met: z.exactOptional(z.array(z.int())),
});

export type Undo = z.infer<typeof undo>;

/** A resource whose configuration has a part for this host. */
export type Here = Resource & { readonly here: ConfiguredHost };

/** The resource with a name, with this host's part of its configuration. Throws RefusedError if there is none. */
export async function askedHere(host: ReadHost, name: string): Promise<Here> {
  const found = await resourceNamed(host, name);
  const { here } = found;
  if (here !== undefined) return { ...found, here };
  if (found.configured === undefined)
    throw new RefusedError(`${name} is up, but no file of the configuration has it`, {
      remedy: `see what it is: drbdsetup show ${name}; restore its file, or, if nothing uses it, bring it down: drbdsetup down ${name}`,
    });
  const { hostname } = await host.facts();
  throw new RefusedError(`the configuration of ${name} has no section "on ${hostname}" for this host`, {
    remedy: `see which hosts it has: bofh drbd show ${name}`,
  });
}

/** Like `askedHere`, but the resource must be up. */
export async function askedUp(
  host: ReadHost,
  name: string,
): Promise<Here & { readonly state: ResourceState }> {
  const found = await askedHere(host, name);
  const { state } = found;
  if (state !== undefined) return { ...found, state };
  throw new RefusedError(`${name} is not up`, { remedy: `bring it up: bofh drbd up ${name}` });
}

export function undoOf({ name, here: { volumes } }: Here, to: Undo['to']): Undo {
  return {
    ...{ name, to, minors: volumes.map(({ minor }) => minor).sort((a, b) => a - b) },
    disks: volumes.flatMap(({ disk }) => disk ?? []),
  };
}

/**
 * The state in the kernel of the resource with this name. `other`: a resource with other devices, not created
 * by this sequence.
 */
export async function now(
  host: ReadHost,
  { name, minors }: Pick<Undo, 'name' | 'minors'>,
): Promise<ResourceState | 'absent' | 'other'> {
  const found = (await states(host)).find((each) => each.name === name);
  if (found === undefined) return 'absent';
  return minorsOf(found).join() === minors.join() ? found : 'other';
}

/** The state of the resource when a step acts after the commit. */
export type Left =
  | { readonly is: 'up'; readonly state: ResourceState }
  /** Nothing can be done or checked until the resource is up again. */
  | { readonly is: 'down' }
  | { readonly is: 'another'; readonly look: Look };

/**
 * The resource that an irreversible step changes. After a boot it is down until an administrator brings it
 * up, and the rest of the work waits until then. If the resource is no longer configured here, nothing is
 * left to do.
 */
export async function leftOf(host: ReadHost, of: Pick<Undo, 'name' | 'minors'>): Promise<Left> {
  const state = await now(host, of);
  if (state === 'other') return { is: 'another', look: another(of) };
  if (state !== 'absent') return { is: 'up', state };
  const { hostname } = await host.facts();
  const isHere = (await configured(host)).some(
    ({ name, hosts }) => name === of.name && hosts.some(({ names }) => names.includes(hostname)),
  );
  if (isHere) return { is: 'down' };
  return {
    is: 'another',
    look: { state: 'not-ours', found: `${of.name} is not up, and no longer configured here` },
  };
}

/** The state of a resource that an irreversible step is about to change. Throws RefusedError if it is not up. */
export async function upAgain(host: ReadHost, of: Pick<Undo, 'name' | 'minors'>): Promise<ResourceState> {
  const found = await leftOf(host, of);
  if (found.is === 'up') return found.state;
  throw new RefusedError(
    `${of.name} is ${found.is === 'down' ? 'down' : 'another resource'} now, but the unfinished step needs it up`,
    { remedy: `bring it up, on every host: drbdadm up ${of.name}; then: bofh recover` },
  );
}

/**
 * Throws RefusedError if the kernel uses other addresses for the resource than its configuration
 * file.
 */
export async function refuseOtherAddresses(host: ReadHost, state: ResourceState): Promise<void> {
  const lines = await otherAddresses(host, state);
  if (lines.length > 0)
    throw new RefusedError(
      `${state.name} is up with other addresses than its configuration has: ${lines.join('; ')}`,
      { remedy: `apply its configuration: drbdadm adjust ${state.name}; then: bofh recover` },
    );
}

export function another({ name }: Pick<Undo, 'name'>): Look {
  return { state: 'not-ours', found: `${name} is up with other devices` };
}

/** Whether the resource is disconnected from all peers, and does not try to connect. */
export function isStandAlone({ connections }: ResourceState): boolean {
  return connections.length > 0 && connections.every(({ state }) => state === 'StandAlone');
}

export function minorsOf({ volumes }: ResourceState): readonly number[] {
  return volumes.map(({ minor }) => minor).sort((a, b) => a - b);
}

/** The minor number of one of its volumes. */
export function minorOf({ name, volumes }: ResourceState, volume: number): number {
  const found = volumes.find((each) => each.volume === volume);
  if (found !== undefined) return found.minor;
  throw new RefusedError(`${name} has no volume ${String(volume)}`, {
    remedy: `name one of its volumes: ${volumes.map((each) => String(each.volume)).join(', ')}`,
  });
}

/** The holders of its devices, as far as the kernel lists them. */
export async function holdersOf(host: ReadHost, minors: readonly number[]): Promise<readonly Holder[]> {
  return (await Promise.all(minors.map((minor) => holders(host, deviceOf(minor))))).flat();
}

/**
 * Throws RefusedError, with all known holders of its devices, if there are any. `ending`: a domain that is
 * shutting down, which does not count.
 */
export async function refuseUsed(
  host: ReadHost,
  { name, minors }: Pick<Undo, 'name' | 'minors'>,
  ending?: number,
): Promise<void> {
  const stays = (holder: Holder): boolean => holder.kind !== 'guest' || holder.domid !== ending;
  if (!(await holdersOf(host, minors)).some(stays)) return;
  const all = (await Promise.all(minors.map((minor) => everyHolder(host, deviceOf(minor))))).flat();
  throw inUse(`the DRBD resource ${name}`, all.filter(stays));
}

export function deviceOf(minor: number): string {
  return `/dev/drbd${String(minor)}`;
}

/** The key of the configuration, which drbdadm reads at every call. */
export function configKey(name: string): Key {
  return `drbd-config:${name}`;
}

/** The keys of the resource and its devices, which change, and of the backing devices. */
export async function claimsOf(
  { name, minors }: Pick<Undo, 'name' | 'minors'>,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<{ readonly changes: readonly Key[]; readonly needs: readonly Key[] }> {
  const devices = await Promise.all(minors.map((minor) => on(deviceOf(minor))));
  return {
    changes: [`drbd:${name}`, ...devices.map(({ key }) => key)],
    needs: [configKey(name), ...new Set(devices.flatMap(({ beneath }) => beneath))],
  };
}

const changing =
  /\bbofh drbd (?=(?:attach|connect|detach|disconnect|down|primary|resume-sync|secondary|up) )/g;

/**
 * The same commands as `drbdadm`: bofh refuses the resource to others while a sequence is
 * unfinished.
 */
export function asTools(remedy: string): string {
  return remedy.replaceAll(changing, 'drbdadm ');
}

/**
 * Runs an undo, or an act after the commit. The remedies of its refusals name commands of
 * `drbdadm`, except those for the time after the sequence was abandoned.
 */
export async function byTools<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RefusedError) || error.remedy?.includes('--abandon') !== false) throw error;
    const { message, code, holders, remedy } = error;
    throw new RefusedError(message, { code, holders, remedy: asTools(remedy), cause: error.cause });
  }
}
