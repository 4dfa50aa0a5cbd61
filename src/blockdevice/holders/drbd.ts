import { follow } from '../../command/index.ts';
import type { Upper } from './above.ts';
import { type Device, deviceByNumber } from './device.ts';
import type { Facts } from './facts.ts';

/**
 * Returns the DRBD devices over a device, with their resources. The kernel lists such a device
 * among the holders (seen on Linux 6.1), but only a resource can be brought down, and only the tool
 * of DRBD knows its name.
 */
export async function drbdOver(facts: Facts, { number }: Device): Promise<readonly Upper[]> {
  const { host } = facts;
  const found: Upper[] = [];
  for (const { resource, minor, path } of (await facts.drbd()).backings) {
    if ((await follow(host, path)).stat?.node !== number) continue;
    const device = `/dev/drbd${minor}`;
    const words = `the DRBD resource ${resource} stores ${device} on it`;
    found.push({
      holder: { kind: 'drbd', device, resource, words, free: ['drbdsetup', 'down', resource] },
      device: () => deviceByNumber(host, `147:${minor}`),
    });
  }
  return found;
}
