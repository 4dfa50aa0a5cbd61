import { createServer, type Socket } from 'node:net';
import { RigError } from './errors.ts';

// The server's side of the network block device protocol, as far as QEMU's client needs it: the fixed newstyle handshake without TLS,
// simple replies, one connection. https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

/** What a client asks of a disk. */
export interface NbdRequest {
  readonly what: 'read' | 'write' | 'zero' | 'discard' | 'flush';
  readonly at: number;
  readonly length: number;
  /** The answer means that this write is durable. */
  readonly fua: boolean;
  readonly data?: Buffer;
}

/** A disk behind the server. */
export interface NbdDisk {
  readonly size: number;
  /** A request has arrived. What it gives does the work and resolves the answer: the data of a read. */
  readonly take: (request: NbdRequest) => () => Buffer | undefined;
}

/** A disk that is being served. */
export interface NbdServer {
  readonly path: string;
  readonly close: () => Promise<void>;
}

const commands = ['read', 'write', undefined, 'flush', 'discard', undefined, 'zero'] as const;
const [writeCommand, endCommand] = [1, 2];
// Has flags, flush, FUA, trim, write zeroes.
const exportFlags = 1 | 4 | 8 | 32 | 64;
const maxLength = 32 << 20;

/** Serves a disk on a Unix socket. */
export async function serveDisk(path: string, disk: NbdDisk): Promise<NbdServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // QEMU is ended by SIGKILL.
    socket.on('error', () => undefined);
    speak(socket, disk);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    path,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function speak(socket: Socket, disk: NbdDisk): void {
  socket.write(bytes(['s', 'NBDMAGIC'], ['s', 'IHAVEOPT'], [2, 3]));
  let rest: Buffer = Buffer.alloc(0);
  let read: (from: Buffer) => number = (from) => {
    if (from.length < 4) return 0;
    read = (next) =>
      takeOption(socket, disk, next, () => (read = (more) => takeRequests(socket, disk, more)));
    return 4;
  };
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let used = 1; used > 0; rest = rest.subarray(used)) used = read(rest);
  });
}

/** One option of the handshake. Gives how many bytes it was; 0 when it is not whole yet. */
function takeOption(socket: Socket, disk: NbdDisk, from: Buffer, ready: () => unknown): number {
  if (from.length < 16 || from.length < 16 + from.readUInt32BE(12)) return 0;
  const [option, length] = [from.readUInt32BE(8), from.readUInt32BE(12)];
  const reply = (type: number, data: Buffer): void => {
    const head = bytes([8, 0x3e889045565a9n], [4, option], [4, type], [4, data.length]);
    socket.write(Buffer.concat([head, data]));
  };
  const [goOption, ack, info, unsupported] = [7, 1, 3, 0x80000001];
  if (option === goOption) {
    reply(info, bytes([2, 0], [8, BigInt(disk.size)], [2, exportFlags]));
    // Block sizes: least, preferred, most.
    reply(info, bytes([2, 3], [4, 512], [4, 4096], [4, maxLength]));
    reply(ack, Buffer.alloc(0));
    ready();
  } else reply(unsupported, Buffer.alloc(0));
  return 16 + length;
}

/**
 * All requests that have arrived whole; they are answered once all of them are taken, so none counts as answered
 * before one that came together with it.
 */
function takeRequests(socket: Socket, disk: NbdDisk, from: Buffer): number {
  const head = 28;
  const answers: (() => readonly Buffer[])[] = [];
  let used = 0;
  for (let left = from; left.length >= head; left = from.subarray(used)) {
    if (left.readUInt32BE(0) !== 0x25609513) throw new RigError('this is no request of the NBD protocol');
    const [flags, command, length] = [left.readUInt16BE(4), left.readUInt16BE(6), left.readUInt32BE(24)];
    const whole = head + (command === writeCommand ? length : 0);
    if (left.length < whole) break;
    used += whole;
    if (command === endCommand) {
      socket.end();
      break;
    }
    const what = commands[command];
    if (what === undefined) throw new RigError(`QEMU asks for ${command}, which was not offered`);
    const work = disk.take({
      ...{ what, length, fua: (flags & 1) !== 0, at: Number(left.readBigUInt64BE(16)) },
      ...(what === 'write' ? { data: Buffer.from(left.subarray(head, whole)) } : {}),
    });
    const handle = left.readBigUInt64BE(8);
    answers.push(() => {
      const data = work();
      const reply = bytes([4, 0x67446698], [4, 0], [8, handle]);
      return data === undefined ? [reply] : [reply, data];
    });
  }
  if (answers.length > 0) socket.write(Buffer.concat(answers.flatMap((answer) => answer())));
  return used;
}

/** Big-endian numbers by their width, and text. */
function bytes(
  ...parts: readonly (readonly [2 | 4, number] | readonly [8, bigint] | readonly ['s', string])[]
): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (part[0] === 's') return Buffer.from(part[1]);
      const out = Buffer.alloc(part[0]);
      if (part[0] === 8) out.writeBigUInt64BE(part[1]);
      else if (part[0] === 4) out.writeUInt32BE(part[1]);
      else out.writeUInt16BE(part[1]);
      return out;
    }),
  );
}
