import { currentBofh } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import * as driver from '../network/index.ts';

export type { Interface } from '../network/index.ts';

/**
 * Returns every network interface of this host: addresses, MTU, MAC, counters and, for a bridge,
 * its ports.
 */
export async function interfaces(): Promise<readonly driver.Interface[]> {
  return driver.interfaces(currentBofh().host);
}

/**
 * Returns the interface of a name. Throws CommandError with the reason `not-found`, which lists the existing
 * interfaces.
 */
export async function interfaceNamed(name: string): Promise<driver.Interface> {
  return naming('network.interfaceNamed', { name }, () => driver.interfaceNamed(currentBofh().host, name));
}

/** Returns every bridge. */
export async function bridges(): Promise<readonly driver.Interface[]> {
  return (await interfaces()).filter(({ kind }) => kind === 'bridge');
}
