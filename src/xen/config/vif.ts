/** One network interface of a guest. Without a MAC address libxl makes one up at each start. */
export interface Vif {
  /** Lower case, with colons. */
  readonly mac?: string;
  readonly bridge?: string;
}

/**
 * Parses a vif specification: comma-separated `key=value` (xl-network-configuration(5)); an empty one is allowed.
 * Returns the fault as text.
 */
export function parseVif(spec: string): Vif | string {
  const given = new Map<string, string>();
  for (const part of spec.split(',').map((word) => word.trim())) {
    if (part === '') continue;
    const groups = /^(?<key>[a-z][a-z0-9_-]*)=(?<value>.*)$/.exec(part)?.groups;
    if (groups === undefined) return `in the vif '${spec}': expected key=value, found '${part}'`;
    given.set(groups.key ?? '', groups.value ?? '');
  }
  const mac = given.get('mac')?.toLowerCase();
  const bridge = given.get('bridge');
  if (mac !== undefined && !/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac))
    return `in the vif '${spec}': '${mac}' is no MAC address (six pairs of hex digits with colons)`;
  return { ...(mac === undefined ? {} : { mac }), ...(bridge === undefined ? {} : { bridge }) };
}
