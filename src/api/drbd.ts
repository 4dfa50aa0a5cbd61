import { currentBofh, inOwnSequence, single } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import * as driver from '../drbd/index.ts';
import { UsageError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';
import { on } from '../core/refusals.ts';
import { type Member, memberAt } from '../replica/hosts.ts';
import { callable, parsed, text } from '../core/request.ts';
import * as z from 'zod/mini';

export type { Finding, Next, ProcStatus, Resource } from '../drbd/index.ts';

export { dataSize, deviceSizeFor, externalMetadata, internalMetadata } from '../drbd/index.ts';

export { convert, create, demote, grow, promote, remove, replacePeer } from './replica.ts';

// The result of resource() and resources().
const resourceLike = z.looseObject({ name: text });
const hostsOf = z.strictObject({ on: z.exactOptional(z.array(text)) });
const waitOptions = z.strictObject({
  name: text,
  what: z.enum(['connection', 'sync', 'verify']),
  limitMs: z.number().check(z.nonnegative()),
  signal: z.exactOptional(z.instanceof(AbortSignal)),
  onLook: z.exactOptional(callable<NonNullable<Parameters<typeof driver.waitUntil>[1]['onLook']>>()),
});

/** Returns every DRBD resource of this host that is configured or up. */
export async function resources(): Promise<readonly driver.Resource[]> {
  return driver.resources(currentBofh().host);
}

/** Returns the resource of a name. If there is none, throws RefusedError, which lists the existing resources. */
export async function resource(name: string): Promise<driver.Resource> {
  return naming('drbd.resource', { name }, async () => driver.resourceNamed(currentBofh().host, name));
}

/** Returns every problem of a resource, with its remedy. */
export function findings(of: driver.Resource): readonly driver.Finding[] {
  parsed('drbd.findings', resourceLike, of);
  return driver.findings(of);
}

/**
 * Returns the commands that `drbdadm adjust` would run to make the kernel follow the configuration;
 * none if the resource is down.
 */
export async function differences(of: driver.Resource): Promise<readonly string[]> {
  parsed('drbd.differences', resourceLike, of);
  return driver.differences(currentBofh().host, of);
}

/**
 * Returns the content of /proc/drbd, parsed without any program; for module 8.4 with its devices.
 * Undefined if the module is not loaded.
 */
export async function procStatus(): Promise<driver.ProcStatus | undefined> {
  return driver.procStatus(currentBofh().host);
}

/** Returns the lowest free port and minor number on this host, or on all hosts in `on`. */
export async function next(
  asked: {
    /** Names of the hosts to look at (default: only the host of the context). */
    readonly on?: readonly string[];
  } = {},
): Promise<driver.Next> {
  parsed('drbd.next', hostsOf, asked);
  const { host, engine } = currentBofh();
  if (asked.on === undefined) return driver.nextFree([await driver.taken(host)]);
  if (asked.on.length === 0)
    throw new UsageError('drbd.next: name the hosts in `on`, or omit it for this host');
  const members: Member[] = [];
  for (const name of asked.on) members.push(await memberAt(engine, name));
  const all: driver.Taken[] = [];
  for (const { name, host: at } of members) all.push(await on(name, () => driver.taken(at)));
  return driver.nextFree(all);
}

/**
 * Waits until a resource is connected, in sync, or has finished its online verification. Throws
 * RefusedError on timeout.
 */
export async function waitUntil(
  asked: Parameters<typeof driver.waitUntil>[1],
): ReturnType<typeof driver.waitUntil> {
  return driver.waitUntil(currentBofh().host, parsed('drbd.waitUntil', waitOptions, asked));
}

/** Brings up a configured resource in a sequence of its own. */
export const up = inOwnSequence('drbd', 'up');

/** Brings down an unused, secondary resource whose data is complete, in a sequence of its own. */
export async function down(args: Parameters<Tx['drbd']['down']>[0]): Promise<void> {
  await single('drbd.down', (tx) => tx.drbd.down(args), ['drbd']);
}

/** Makes this host the primary of a resource in a sequence of its own. */
export const primary = inOwnSequence('drbd', 'primary');

/** Makes this host a secondary of an unused resource in a sequence of its own. */
export const secondary = inOwnSequence('drbd', 'secondary');

/** Creates the configuration file of a new resource in a sequence of its own. */
export const createConfig = inOwnSequence('drbd', 'createConfig');

/** Removes the configuration file of a resource that is down, in a sequence of its own. */
export async function removeConfig(args: Parameters<Tx['drbd']['removeConfig']>[0]): Promise<void> {
  await single('drbd.removeConfig', (tx) => tx.drbd.removeConfig(args), ['drbd']);
}

/** Creates metadata at the end of the device of a volume in a sequence of its own. */
export const createMetadata = inOwnSequence('drbd', 'createMetadata');

/**
 * Removes the metadata of a volume from its device, which keeps the data, in a sequence of its own.
 */
export const removeMetadata = inOwnSequence('drbd', 'removeMetadata');

/** Attaches the disks of a resource that is up, in a sequence of its own. */
export const attach = inOwnSequence('drbd', 'attach');

/** Detaches the disks of a resource in a sequence of its own. Refused on a primary if no peer has all data. */
export const detach = inOwnSequence('drbd', 'detach');

/** Connects a StandAlone resource to its peers in a sequence of its own. */
export async function connect(args: Parameters<Tx['drbd']['connect']>[0]): Promise<void> {
  await single('drbd.connect', (tx) => tx.drbd.connect(args), ['drbd']);
}

/** Disconnects a resource from its peers in a sequence of its own. */
export async function disconnect(args: Parameters<Tx['drbd']['disconnect']>[0]): Promise<void> {
  await single('drbd.disconnect', (tx) => tx.drbd.disconnect(args), ['drbd']);
}

/** Pauses the resync of a resource in a sequence of its own. */
export const pauseSync = inOwnSequence('drbd', 'pauseSync');

/** Resumes the resync of a resource in a sequence of its own. */
export const resumeSync = inOwnSequence('drbd', 'resumeSync');

/** Adjusts a resource to its configuration in a sequence of its own. */
export async function adjust(args: Parameters<Tx['drbd']['adjust']>[0]): Promise<void> {
  await single('drbd.adjust', (tx) => tx.drbd.adjust(args), ['drbd']);
}

/** Grows a volume to the size of its disk in a sequence of its own. */
export async function resize(args: Parameters<Tx['drbd']['resize']>[0]): Promise<void> {
  await single('drbd.resize', (tx) => tx.drbd.resize(args), ['drbd']);
}

/** Skips the initial resync of a resource that is new on both hosts, in a sequence of its own. */
export async function newCurrentUuid(args: Parameters<Tx['drbd']['newCurrentUuid']>[0]): Promise<void> {
  await single('drbd.newCurrentUuid', (tx) => tx.drbd.newCurrentUuid(args), ['drbd']);
}

/** Discards the local data of a resource and resyncs from the peer in a sequence of its own. */
export async function invalidate(args: Parameters<Tx['drbd']['invalidate']>[0]): Promise<void> {
  await single('drbd.invalidate', (tx) => tx.drbd.invalidate(args), ['drbd']);
}

/**
 * Discards the peer's data of a resource and resyncs it from this host in a sequence of its own.
 */
export async function invalidateRemote(args: Parameters<Tx['drbd']['invalidateRemote']>[0]): Promise<void> {
  await single('drbd.invalidateRemote', (tx) => tx.drbd.invalidateRemote(args), ['drbd']);
}

/** Starts an online verification of a resource against its peer in a sequence of its own. */
export const verify = inOwnSequence('drbd', 'verify');
