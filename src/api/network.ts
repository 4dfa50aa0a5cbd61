import { currentBofh } from '../bofh.ts';
import * as driver from '../network/index.ts';

export type { Interface } from '../network/index.ts';

/** Every network interface of this host: addresses, MTU, MAC, counters, and of a bridge what hangs on it. */
export async function interfaces(): Promise<readonly driver.Interface[]> {
  return driver.interfaces(currentBofh().host);
}

/** One by its name. CommandError `not-found`, which names those that are there. */
export async function interfaceNamed(name: string): Promise<driver.Interface> {
  return driver.interfaceNamed(currentBofh().host, name);
}

/** Every bridge. */
export async function bridges(): Promise<readonly driver.Interface[]> {
  return (await interfaces()).filter(({ kind }) => kind === 'bridge');
}
