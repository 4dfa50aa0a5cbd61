import { kernelText } from '../blockdevice/node.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { addressesOf } from './config.ts';
import { configured, states } from './reads.ts';

/** The first port that DRBD's own examples use, and the highest possible one. */
const ports = { from: 7788, to: 65535 } as const;
/** A minor number has 20 bits (linux/kdev_t.h). */
const minors = { from: 0, to: 2 ** 20 - 1 } as const;

/** Free port and minor numbers for a new resource. */
export interface Next {
  readonly port: number;
  readonly minor: number;
}

/**
 * Ports and minor numbers that are in use on a host: in its configuration (also for other hosts), in the
 * kernel, by other programs.
 */
export interface Taken {
  readonly ports: ReadonlySet<number>;
  readonly minors: ReadonlySet<number>;
}

/** Every port and minor number that is in use on a host. */
export async function taken(host: ReadHost): Promise<Taken> {
  const inFiles = (await configured(host)).flatMap(({ hosts }) => hosts);
  const up = await states(host);
  const addresses = up.flatMap(({ connections }) => connections.flatMap(({ paths }) => paths));
  return {
    ports: new Set([
      ...inFiles.flatMap((each) => addressesOf(each).map(({ port }) => port)),
      ...addresses.flatMap(({ local, peer }) => [local, peer].map(portIn)),
      ...(await usedPorts(host)),
    ]),
    minors: new Set([
      ...inFiles.flatMap(({ volumes }) => volumes.map(({ minor }) => minor)),
      ...up.flatMap(({ volumes }) => volumes.map(({ minor }) => minor)),
    ]),
  };
}

/** The lowest port, from 7788, and the lowest minor that are free on every one of these hosts. */
export function nextFree(hosts: readonly Taken[]): Next {
  const lowest = (what: keyof Taken, { from, to }: typeof ports | typeof minors): number => {
    for (let each: number = from; each <= to; each += 1)
      if (!hosts.some((host) => host[what].has(each))) return each;
    throw new RefusedError(`all ${what} of DRBD up to ${String(to)} are taken`, {
      remedy: 'remove resources that are no longer needed: bofh drbd list',
    });
  };
  return { port: lowest('ports', ports), minor: lowest('minors', minors) };
}

/** `ipv4:10.1.1.1:7788`, `ipv6:[::1]:7788` */
function portIn(address: string): number {
  const port = /:(?<port>\d{1,5})$/.exec(address)?.groups?.port;
  if (port === undefined) throw new ParseError(`the address "${address}" has no port`);
  return Number(port);
}

// proc(5): the local address is hexadecimal, and so are its port and the state of the socket.
const socket =
  /^ *\d+: [0-9A-F]{8}(?:[0-9A-F]{24})?:(?<port>[0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} (?<state>[0-9A-F]{2}) /;
/** TCP_TIME_WAIT (net/tcp_states.h): a closed connection, which belongs to no process. */
const closed = '06';

/** TCP ports with a socket on this host. */
export async function usedPorts(host: ReadHost): Promise<readonly number[]> {
  const found: number[] = [];
  const files = ['/proc/net/tcp', '/proc/net/tcp6'].map(
    async (file) => [file, await kernelText(host, file)] as const,
  );
  for (const [file, text] of await Promise.all(files)) {
    // A kernel without IPv6 has no such file.
    const [head, ...lines] = text?.split('\n') ?? ['  sl'];
    if (head?.startsWith('  sl') !== true) throw new ParseError(`${file} has an unknown first line`);
    for (const line of lines) {
      const { port, state } = socket.exec(line)?.groups ?? {};
      if (port === undefined) throw new ParseError(`${file}: cannot read the line ${JSON.stringify(line)}`);
      if (state !== closed) found.push(Number.parseInt(port, 16));
    }
  }
  return found;
}
