import { currentBofh, single } from '../bofh.ts';
import * as driver from '../drbd/index.ts';
import type { Tx } from '../operations.ts';

export { dataSize, deviceSizeFor, externalMetadata, internalMetadata } from '../drbd/index.ts';

/** Every DRBD resource of this host: those that are configured, and those that are up. */
export async function resources(): Promise<readonly driver.Resource[]> {
  return driver.resources(currentBofh().host);
}

/** One by its name. RefusedError when there is none, which names those that are there. */
export async function resource(name: string): Promise<driver.Resource> {
  return driver.resourceNamed(currentBofh().host, name);
}

/** Everything of a resource that is not as it should be, with what helps. */
export function findings(of: driver.Resource): readonly driver.Finding[] {
  return driver.findings(of);
}

/** What /proc/drbd tells, without any program: of module 8.4 its devices too. Undefined: no module is loaded. */
export async function procStatus(): Promise<driver.ProcStatus | undefined> {
  return driver.procStatus(currentBofh().host);
}

/** The lowest port and the lowest minor number that a new resource can have on this host. */
export async function next(): Promise<driver.Next> {
  return driver.nextFree([await driver.taken(currentBofh().host)]);
}

/** Brings a configured resource up: a sequence of one. */
export async function up(args: Parameters<Tx['drbd']['up']>[0]): ReturnType<Tx['drbd']['up']> {
  return single('drbd.up', (tx) => tx.drbd.up(args));
}

/** Takes a resource down that is secondary and whole: a sequence of one. */
export async function down(args: Parameters<Tx['drbd']['down']>[0]): Promise<void> {
  await single('drbd.down', (tx) => tx.drbd.down(args));
}

/** Makes this host the primary of a resource: a sequence of one. */
export async function primary(args: Parameters<Tx['drbd']['primary']>[0]): ReturnType<Tx['drbd']['primary']> {
  return single('drbd.primary', (tx) => tx.drbd.primary(args));
}

/** Makes this host a secondary of a resource that nobody uses: a sequence of one. */
export async function secondary(
  args: Parameters<Tx['drbd']['secondary']>[0],
): ReturnType<Tx['drbd']['secondary']> {
  return single('drbd.secondary', (tx) => tx.drbd.secondary(args));
}

/** Writes the file of a new resource: a sequence of one. */
export async function createConfig(
  args: Parameters<Tx['drbd']['createConfig']>[0],
): ReturnType<Tx['drbd']['createConfig']> {
  return single('drbd.createConfig', (tx) => tx.drbd.createConfig(args));
}

/** Removes the file of a resource that is not up: a sequence of one. */
export async function removeConfig(args: Parameters<Tx['drbd']['removeConfig']>[0]): Promise<void> {
  await single('drbd.removeConfig', (tx) => tx.drbd.removeConfig(args));
}

/** Makes metadata at the end of the device of a volume: a sequence of one. */
export async function createMetadata(
  args: Parameters<Tx['drbd']['createMetadata']>[0],
): ReturnType<Tx['drbd']['createMetadata']> {
  return single('drbd.createMetadata', (tx) => tx.drbd.createMetadata(args));
}
