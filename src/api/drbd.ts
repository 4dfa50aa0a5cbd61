import { currentBofh } from '../bofh.ts';
import * as driver from '../drbd/index.ts';

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
