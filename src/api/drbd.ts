import { currentBofh, once, single } from '../bofh.ts';
import * as driver from '../drbd/index.ts';
import { UsageError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';
import { on } from '../core/refusals.ts';
import { type Member, memberAt } from '../replica/hosts.ts';

export type { Finding, Next, ProcStatus, Resource } from '../drbd/index.ts';

export { dataSize, deviceSizeFor, externalMetadata, internalMetadata } from '../drbd/index.ts';

export { convert, create, demote, grow, promote, remove, replacePeer } from './replica.ts';

/** Every DRBD resource of this host: those that are configured, and those that are up. */
export async function resources(): Promise<readonly driver.Resource[]> {
  return (await driver.resources(currentBofh().host)).map(driver.withPeerName);
}

/** One by its name. RefusedError when there is none, which names those that are there. */
export async function resource(name: string): Promise<driver.Resource> {
  return driver.withPeerName(await driver.resourceNamed(currentBofh().host, name));
}

/** Everything of a resource that is not as it should be, with what helps. */
export function findings(of: driver.Resource): readonly driver.Finding[] {
  return driver.findings(of);
}

/** What the kernel runs otherwise than the configuration says: the commands that would have it follow; none of a resource that is down. */
export async function differences(of: driver.Resource): Promise<readonly string[]> {
  return driver.differences(currentBofh().host, of);
}

/** What /proc/drbd tells, without any program: of module 8.4 its devices too. Undefined: no module is loaded. */
export async function procStatus(): Promise<driver.ProcStatus | undefined> {
  return driver.procStatus(currentBofh().host);
}

/** The lowest port and the lowest minor number that a new resource can have: on this host, or on every one of those that are named. */
export async function next(asked: { readonly on?: readonly string[] } = {}): Promise<driver.Next> {
  const { host, engine } = currentBofh();
  if (asked.on === undefined) return driver.nextFree([await driver.taken(host)]);
  if (asked.on.length === 0)
    throw new UsageError('drbd.next: name the hosts that it is to be free on, or none');
  const members: Member[] = [];
  for (const name of asked.on) members.push(await memberAt(engine, name));
  const all: driver.Taken[] = [];
  for (const { name, host: at } of members) all.push(await on(name, () => driver.taken(at)));
  return driver.nextFree(all);
}

/** Waits until a resource is connected, in sync, or no more compared with its peers; RefusedError when the time is over. */
export async function waitUntil(
  asked: Parameters<typeof driver.waitUntil>[1],
): ReturnType<typeof driver.waitUntil> {
  return driver.waitUntil(currentBofh().host, asked);
}

/** Brings a configured resource up: a sequence of one. */
export const up = once('drbd', 'up');

/** Takes a resource down that is secondary and whole: a sequence of one. */
export async function down(args: Parameters<Tx['drbd']['down']>[0]): Promise<void> {
  await single('drbd.down', (tx) => tx.drbd.down(args));
}

/** Makes this host the primary of a resource: a sequence of one. */
export const primary = once('drbd', 'primary');

/** Makes this host a secondary of a resource that nobody uses: a sequence of one. */
export const secondary = once('drbd', 'secondary');

/** Writes the file of a new resource: a sequence of one. */
export const createConfig = once('drbd', 'createConfig');

/** Removes the file of a resource that is not up: a sequence of one. */
export async function removeConfig(args: Parameters<Tx['drbd']['removeConfig']>[0]): Promise<void> {
  await single('drbd.removeConfig', (tx) => tx.drbd.removeConfig(args));
}

/** Makes metadata at the end of the device of a volume: a sequence of one. */
export const createMetadata = once('drbd', 'createMetadata');

/** Takes the metadata of a volume off its device, which holds its data alone from then on: a sequence of one. */
export const removeMetadata = once('drbd', 'removeMetadata');

/** Attaches the disks of a resource that is up: a sequence of one. */
export const attach = once('drbd', 'attach');

/** Takes the disks of a resource away from it, without data being lost: a sequence of one. */
export const detach = once('drbd', 'detach');

/** Has a resource that is StandAlone look for its peers: a sequence of one. */
export async function connect(args: Parameters<Tx['drbd']['connect']>[0]): Promise<void> {
  await single('drbd.connect', (tx) => tx.drbd.connect(args));
}

/** Ends the connections of a resource: a sequence of one. */
export async function disconnect(args: Parameters<Tx['drbd']['disconnect']>[0]): Promise<void> {
  await single('drbd.disconnect', (tx) => tx.drbd.disconnect(args));
}

/** Holds up the resync of a resource: a sequence of one. */
export const pauseSync = once('drbd', 'pauseSync');

/** Lets it go on: a sequence of one. */
export const resumeSync = once('drbd', 'resumeSync');

/** Has a resource follow its configuration: a sequence of one. */
export async function adjust(args: Parameters<Tx['drbd']['adjust']>[0]): Promise<void> {
  await single('drbd.adjust', (tx) => tx.drbd.adjust(args));
}

/** Has a volume grow to its disk: a sequence of one. */
export async function resize(args: Parameters<Tx['drbd']['resize']>[0]): Promise<void> {
  await single('drbd.resize', (tx) => tx.drbd.resize(args));
}

/** Skips the first resync of a resource that is new on both hosts: a sequence of one. */
export async function newCurrentUuid(args: Parameters<Tx['drbd']['newCurrentUuid']>[0]): Promise<void> {
  await single('drbd.newCurrentUuid', (tx) => tx.drbd.newCurrentUuid(args));
}

/** Fetches all data of a resource from its peer: a sequence of one. */
export async function invalidate(args: Parameters<Tx['drbd']['invalidate']>[0]): Promise<void> {
  await single('drbd.invalidate', (tx) => tx.drbd.invalidate(args));
}

/** Sends all data of a resource to its peer: a sequence of one. */
export async function invalidateRemote(args: Parameters<Tx['drbd']['invalidateRemote']>[0]): Promise<void> {
  await single('drbd.invalidateRemote', (tx) => tx.drbd.invalidateRemote(args));
}

/** Begins to compare a resource with its peer: a sequence of one. */
export const verify = once('drbd', 'verify');
