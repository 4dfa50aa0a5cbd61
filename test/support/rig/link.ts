import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** The cable between two machines, as one of them has it: UDP from a port of 127.0.0.1 to another one. */
export type LinkEnd = {
  readonly port: number;
  readonly peer: number;
  /** Which of the two it is. */
  readonly side: 1 | 2;
  /** The host names of the first and of the second machine. */
  readonly names: readonly [string, string];
};

/** The address of a machine on the cable. */
export function linkAddress(side: 1 | 2): string {
  return `10.77.0.${String(side)}`;
}

/**
 * What a machine's shell does to have its card (eth1) on the cable, and both names. As often as one likes: a machine from the
 * snapshot has the other one's MAC at first, and one that was booted has no address.
 */
export function plugIn({ side, names }: LinkEnd): string {
  const hosts = names.map((name, index) => `${linkAddress(index === 0 ? 1 : 2)} ${name}`);
  const batch = [
    `link set dev eth1 address 52:54:00:77:00:0${String(side)}`,
    `address replace ${linkAddress(side)}/24 dev eth1`,
    'link set dev eth1 up',
  ];
  const lines = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(' ');
  return `printf '%s\\n' ${lines(['127.0.0.1 localhost', ...hosts])} > /run/hosts; printf '%s\\n' ${lines(batch)} | ip -batch -`;
}

/**
 * Two ports for a cable, until `release`. QEMU shares a UDP port with whoever asks for the same (SO_REUSEADDR), so what keeps two
 * cables apart, also while a machine is off, is the TCP port of the same number, which is held here; nobody is listened to there.
 */
export async function freePorts(): Promise<{
  readonly ports: readonly [number, number];
  release: () => void;
}> {
  const held = [await freePort(), await freePort()] as const;
  return {
    ports: [held[0].port, held[1].port],
    release: () => {
      for (const { release } of held) release();
    },
  };
}

async function freePort(): Promise<{ readonly port: number; readonly release: () => void }> {
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.unref();
    const { port } = server.address() as AddressInfo;
    if (await freeForUdp(port)) return { port, release: () => void server.close() };
    server.close();
  }
}

async function freeForUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    const bound = once(socket, 'listening').then(
      () => true,
      () => false,
    );
    socket.bind(port, '127.0.0.1');
    return await bound;
  } finally {
    socket.close();
  }
}
