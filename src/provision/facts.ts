import { type ReadHost, textOf } from '../command/index.ts';
import { ParseError, ToolError } from '../core/errors.ts';
import { ipAddresses } from '../network/commands.ts';

/** Facts about the host that a description can use. */
export interface Facts {
  readonly hostname: string;
  /** From /etc/os-release: `ID`, `VERSION_ID` and `PRETTY_NAME`. Null: the host has none. */
  readonly os: { readonly id: string; readonly version: string | null; readonly name: string | null } | null;
  /** Release of the running kernel: `6.1.0-18-amd64`. */
  readonly kernel: string;
  /** Memory of this kernel, in bytes. */
  readonly memory: number;
  /** `dom0`: it runs Xen guests. `domU`: it is a Xen guest. */
  readonly xen: 'dom0' | 'domU' | 'none';
  /** Addresses, except those of the loopback interface. Null: ip(8) is not installed. */
  readonly addresses:
    | readonly { readonly interface: string; readonly address: string; readonly prefix: number }[]
    | null;
}

/** Reads the facts of a host. */
export async function factsOf(host: ReadHost): Promise<Facts> {
  const { hostname } = await host.facts();
  const release = await textOf(host, '/etc/os-release');
  const kernel = (await textOf(host, '/proc/sys/kernel/osrelease'))?.trim() ?? '';
  if (kernel === '') throw new ParseError('the kernel does not report its release');
  const kib = /^MemTotal: +(?<kib>\d+) kB$/m.exec((await textOf(host, '/proc/meminfo')) ?? '')?.groups?.kib;
  if (kib === undefined) throw new ParseError('/proc/meminfo has no MemTotal');
  const os = release === undefined ? null : osOf(release);
  return {
    hostname,
    os,
    kernel,
    memory: Number(kib) * 1024,
    xen: await xenOf(host),
    addresses: await addressesOf(host),
  };
}

function osOf(text: string): NonNullable<Facts['os']> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const { key, value } = /^(?<key>[A-Z0-9_]+)=(?<value>.*)$/.exec(line.trim())?.groups ?? {};
    if (key !== undefined && value !== undefined) values.set(key, unquoted(value));
  }
  // os-release(5): without ID the system is "linux".
  return {
    id: values.get('ID') ?? 'linux',
    version: values.get('VERSION_ID') ?? null,
    name: values.get('PRETTY_NAME') ?? null,
  };
}

/** Removes the shell quotes of a value (os-release(5)). */
function unquoted(value: string): string {
  const { inside } = /^(?<quote>["'])(?<inside>.*)\k<quote>$/.exec(value)?.groups ?? {};
  return (inside ?? value).replaceAll(/\\(?<kept>["$`\\])/g, '$<kept>');
}

async function xenOf(host: ReadHost): Promise<Facts['xen']> {
  if ((await textOf(host, '/proc/xen/capabilities'))?.includes('control_d') === true) return 'dom0';
  return (await textOf(host, '/sys/hypervisor/type'))?.trim() === 'xen' ? 'domU' : 'none';
}

async function addressesOf(host: ReadHost): Promise<Facts['addresses']> {
  try {
    const all = await host.run(ipAddresses());
    return all
      .filter(({ kind }) => kind !== 'loopback')
      .flatMap(({ name, addresses }) =>
        addresses.map(({ address, prefix }) => ({ interface: name, address, prefix })),
      );
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}
