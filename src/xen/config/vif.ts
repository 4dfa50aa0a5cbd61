import { present } from '../../core/present.ts';

/** One network interface of a guest. Without a MAC address libxl generates one at each start. */
export interface Vif {
  /** Lower case, with colons. */
  readonly mac?: string;
  /** As written: vif-openvswitch accepts a VLAN tag and trunks after the name of the bridge. */
  readonly bridge?: string;
  readonly script?: string;
}

/**
 * Parses a vif specification: comma-separated `key=value` (xl-network-configuration(5)); an empty one is allowed.
 * Returns the fault as text.
 */
export function parseVif(spec: string): Vif | string {
  const given = new Map<string, string>();
  for (const part of spec.split(',').map((word) => word.trimStart())) {
    if (part === '' || part === 'trusted' || part === 'untrusted') continue;
    const groups = /^(?<key>[a-z][a-z0-9_-]*)=(?<value>.*)$/s.exec(part)?.groups;
    if (groups === undefined) return `in the vif '${spec}': expected key=value, found '${part}'`;
    given.set(groups.key ?? '', groups.value ?? '');
  }
  const [mac, rate] = [given.get('mac'), given.get('rate')];
  const address = mac === undefined ? undefined : macIn(mac);
  if (mac !== undefined && address === undefined)
    return `in the vif '${spec}': '${mac}' is not a MAC address (six pairs of hex digits with colons)`;
  if (rate !== undefined && !isRate(rate))
    return `in the vif '${spec}': '${rate}' is not a rate: expected for example 10Mb/s, 1MB/s or 250KB/s@20ms`;
  const [bridge, script] = [given.get('bridge'), given.get('script')];
  return { ...present({ mac: address, bridge, script }) };
}

/** A MAC address as xl reads it: each of the six numbers may have one digit. */
function macIn(text: string): string | undefined {
  const parts = text.toLowerCase().trim().split(':');
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/.test(part))) return undefined;
  return parts.map((part) => part.padStart(2, '0')).join(':');
}

const most = 2 ** 32 - 1;
const bytesPer: Readonly<Record<string, bigint>> = { '': 1n, K: 1000n, M: 1000n ** 2n, G: 1000n ** 3n };
const microsecondsPer: Readonly<Record<string, number>> = { us: 1, u: 1, ms: 1000, m: 1000, s: 1e6, '': 1e6 };

/**
 * `NUMBER[KMG](b|B)/s[@NUMBER[us|ms|s]]`. Neither number, nor the interval, may be 0 or exceed 32
 * bits.
 */
function isRate(text: string): boolean {
  const pattern = /^(?<count>\d+)(?<factor>[GMK]?)[bB]\/s(?:@(?<every>\d+)(?<unit>[mu]s?|s?))?$/;
  const {
    count,
    factor = '',
    every = '50',
    unit = every === '50' ? 'ms' : '',
  } = pattern.exec(text)?.groups ?? {};
  if (count === undefined) return false;
  const interval = Number(every) * (microsecondsPer[unit] ?? Number.NaN);
  const bytes = BigInt(count) * (bytesPer[factor] ?? 0n);
  const fits = (value: number): boolean => value > 0 && value <= most;
  return fits(Number(count)) && fits(Number(every)) && fits(interval) && bytes * BigInt(interval) < 2n ** 64n;
}
