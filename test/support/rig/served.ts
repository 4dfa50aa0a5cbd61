import { join } from 'node:path';
import { coldBoot, type Place, type Shape } from './boot.ts';
import { freeze } from './boot.ts';
import { Machine } from './machine.ts';
import type { Medium } from './medium.ts';
import { type NbdRequest, type NbdServer, serveDisk } from './nbd.ts';
import { makeRunDir } from './run-dir.ts';

/** A request that changed a disk, or flushed it. */
export interface Logged {
  readonly disk: number;
  readonly what: 'write' | 'zero' | 'discard' | 'flush';
  readonly at: number;
  readonly length: number;
  readonly fua: boolean;
  /** When it was sent and when it was answered: one count for all requests and answers of all disks. */
  readonly sent: number;
  readonly done: number;
  readonly data?: Buffer;
}

/** Disks that live in this process: every request of the machine comes by here, in one order for all of them. */
export class ServedDisks {
  readonly media: readonly Medium[];
  readonly #log: ((request: Logged) => void) | undefined;
  #now = 0;

  /** `log` gets each request when it is answered. */
  constructor(media: readonly Medium[], log?: (request: Logged) => void) {
    this.media = media;
    this.#log = log;
  }

  /** So many requests and answers there were. */
  get now(): number {
    return this.#now;
  }

  async serve(dir: string): Promise<readonly NbdServer[]> {
    return await Promise.all(
      this.media.map((medium, disk) =>
        serveDisk(join(dir, `disk${String(disk)}.nbd`), {
          size: medium.size,
          take: (request) => this.#take(disk, request),
        }),
      ),
    );
  }

  #take(disk: number, { what, at, length, fua, data }: NbdRequest): () => Buffer | undefined {
    if (what === 'read') return () => this.media[disk]?.read(at, length);
    const sent = ++this.#now;
    return () => {
      const medium = this.media[disk];
      if (what === 'write' && data !== undefined) medium?.write(at, data);
      // What was discarded may hold anything, so it may stay.
      if (what === 'zero') medium?.zero(at, length);
      const done = ++this.#now;
      this.#log?.({ disk, what, at, length, fua, sent, done, ...(data === undefined ? {} : { data }) });
      return undefined;
    };
  }
}

/** A machine whose disks are served by this process. */
export interface ServedMachine {
  readonly machine: Machine;
  readonly close: () => Promise<void>;
}

/** Boots from such disks. `held` is a memory image of `holdBoot`: the boot goes on from there. */
export async function bootServed(
  shape: Shape,
  options: { readonly name: string; readonly disks: ServedDisks; readonly held?: string },
): Promise<ServedMachine> {
  const dir = await makeRunDir();
  const servers = await options.disks.serve(dir);
  const held = options.held === undefined ? {} : { held: options.held };
  const place: Place = { dir, name: options.name, sockets: servers.map(({ path }) => path), ...held };
  const machine = new Machine(shape, place);
  const close = async (): Promise<void> => {
    await machine.close();
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    await machine.boot();
    return { machine, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/**
 * Boots as far as the small initramfs, before anything is read from the disks, and writes the memory to a file: the half of a boot
 * that is the same whatever the disks hold. What boots from it goes on when it finds `goOn` in the first block of the system's disk.
 */
export async function holdBoot(
  shape: Shape,
  options: { readonly name: string; readonly disks: ServedDisks; readonly memoryImage: string },
): Promise<void> {
  const dir = await makeRunDir();
  const servers = await options.disks.serve(dir);
  const place = { dir, name: options.name, sockets: servers.map(({ path }) => path) };
  const emulator = await coldBoot({ ...shape, hold: true }, place);
  try {
    await freeze(emulator, options.memoryImage);
  } finally {
    await emulator.kill();
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** ext4 leaves the first KiB to boot loaders. */
export const goOn = Buffer.from('rig: go on\n'.padEnd(512, '\0'));
