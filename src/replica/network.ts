import { isIPv4 } from 'node:net';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { type Interface, interfaces } from '../network/index.ts';

/** An IPv4 address with its network. */
interface Place {
  readonly address: string;
  readonly prefix: number;
  readonly network: string;
}

/** The addresses under which other hosts may reach a host. */
export async function addressesOf(host: ReadHost): Promise<readonly Place[]> {
  return (await interfaces(host)).filter(({ up, kind }) => up && kind !== 'loopback').flatMap(usable);
}

function usable({ addresses }: Interface): readonly Place[] {
  return addresses
    .filter(({ family, scope, state }) => family === 'inet' && scope === 'global' && state === 'usable')
    .map(({ address, prefix }) => ({ address, prefix, network: networkOf(address, prefix) }));
}

function networkOf(address: string, prefix: number): string {
  const bits = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - prefix);
  return `${String(Math.floor(bits / size) * size)}/${String(prefix)}`;
}

/**
 * The only pair of addresses of two hosts in a common network. Throws RefusedError if there is none, or more
 * than one.
 */
export function commonPair(
  [a, b]: readonly [readonly Place[], readonly Place[]],
  names: readonly [string, string],
): readonly [string, string] {
  const pairs = a.flatMap((one) =>
    b
      .filter((other) => other.network === one.network && other.address !== one.address)
      .map((other) => [one.address, other.address] as const),
  );
  const [only, ...more] = pairs;
  if (only !== undefined && more.length === 0) return only;
  const all = pairs.map((pair) => pair.join(' and ')).join('; ');
  throw new RefusedError(
    only === undefined
      ? `${names.join(' and ')} have no IPv4 network in common`
      : `${names.join(' and ')} have more than one network in common: ${all}`,
    {
      remedy: `choose the addresses: ${option(
        `--address ${names.map((each) => `${each}=IP`).join(',')}`,
        `addresses: { ${names.map((each) => `'${each}': 'IP'`).join(', ')} }`,
      )}`,
    },
  );
}

/**
 * Checks the address that was passed for a host. Throws UsageError if it is not an address, RefusedError if
 * the host does not have it.
 */
export async function checkAddress(host: ReadHost, address: string): Promise<string> {
  if (!isIPv4(address)) throw new UsageError(`"${address}" is not an IPv4 address`);
  const all = (await interfaces(host))
    .flatMap((each) => each.addresses)
    .filter((each) => isIPv4(each.address) && !each.address.startsWith('127.'));
  if (all.some((each) => each.address === address && each.state === 'usable')) return address;
  throw new RefusedError(
    address.startsWith('127.')
      ? `the other host cannot reach the address ${address}`
      : `no interface has the address ${address}`,
    { remedy: `name one of its addresses: ${all.map((each) => each.address).join(', ')}` },
  );
}
