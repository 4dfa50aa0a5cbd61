import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DiskSpec, diskFiles } from './disks.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { lastLines, RigError } from './errors.ts';
import type { Image } from './image.ts';
import { until } from './process.ts';
import { type LinkEnd, plugIn } from './link.ts';
import {
  type Accel,
  bootArgv,
  diskArgv,
  type Hypervisor,
  linkArgv,
  monitorArgv,
  networkArgv,
  servedDiskArgv,
} from './qemu-argv.ts';
import { type Connection, connect } from './ssh.ts';
import { loggedDiskArgv } from './volatile.ts';

/** Everything that decides what a machine is, apart from what is on its disks. */
export type Shape = {
  readonly image: Image;
  readonly hypervisor: Hypervisor;
  readonly accel: Accel;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly disks: readonly DiskSpec[];
  /** The disks have a write cache that a power cut can take. */
  readonly volatile?: boolean;
  /** There is a second network card, for a cable to another machine. */
  readonly link?: boolean;
  /** A CD drive without a medium: every open of /dev/sr0 fails with ENOMEDIUM. */
  readonly emptyDrive?: boolean;
  /** It stops in the initramfs, before anything is read from the disks. */
  readonly hold?: boolean;
};

/**
 * A machine that runs in `dir`, under the name `name`; `link` is what its second network card is plugged into. `sockets`: its disks
 * are served there. `held`: the memory of one that was held in the initramfs, from which a boot goes on.
 */
export type Place = {
  readonly dir: string;
  readonly name: string;
  readonly link?: LinkEnd;
  readonly sockets?: readonly string[];
  readonly held?: string;
};

// About 10 s on two cores that have nothing else to do.
const bootTimeoutMs = 180_000;

/** Boots the kernel from the disks in `dir` and returns when sshd is about to answer. */
export async function coldBoot(shape: Shape, place: Place): Promise<Emulator> {
  const consoleFile = join(place.dir, 'console.log');
  const words = kernelWords(shape, place.name);
  const argv = machineArgv(shape, { ...place, consoleFile, words });
  const emulator = await startEmulator(place.held === undefined ? argv : [...argv, ...incoming(place.held)]);
  const last = shape.hold === true ? 'rig: hold' : 'rig: ready';
  try {
    if (place.held !== undefined) await goOnFrom(emulator);
    await until({
      what: 'the machine boots',
      timeoutMs: bootTimeoutMs,
      everyMs: 100,
      probe: async () => {
        if (!emulator.running()) throw new RigError(`QEMU ended: ${emulator.complaints()}`);
        return (await consoleText(place.dir)).includes(last) || undefined;
      },
    });
    return emulator;
  } catch (cause) {
    await emulator.kill();
    throw await withConsole(place.dir, cause);
  }
}

/** Starts a machine in the middle of its life, from a memory image made by `freeze`; its disks are those in `dir`. */
export async function thaw(shape: Shape, place: Place & { readonly memoryImage: string }): Promise<Emulator> {
  const consoleFile = join(place.dir, 'console.log');
  const words = kernelWords(shape, 'rig');
  const argv = machineArgv(shape, { ...place, consoleFile, words });
  const emulator = await startEmulator([...argv, ...incoming(place.memoryImage)]);
  try {
    await goOnFrom(emulator);
    return emulator;
  } catch (cause) {
    await emulator.kill();
    throw await withConsole(place.dir, cause);
  }
}

function incoming(memoryImage: string): readonly string[] {
  return ['-incoming', `exec:cat '${memoryImage}'`];
}

/** Waits until the memory image is read, and lets the machine run. */
async function goOnFrom(emulator: Emulator): Promise<void> {
  await until({
    what: 'the memory image is read',
    timeoutMs: 60_000,
    everyMs: 20,
    // It was stopped when it was frozen, and so it is when it has been read.
    probe: async () => ((await status(emulator, 'query-status')) === 'paused' ? true : undefined),
  });
  await emulator.qmp('cont');
}

/** Writes the machine's memory to a file and ends QEMU in order, so that disks and memory belong together. */
export async function freeze(emulator: Emulator, memoryImage: string): Promise<void> {
  await emulator.qmp('stop');
  await emulator.qmp('migrate-set-parameters', { 'max-bandwidth': 100_000_000_000 });
  await emulator.qmp('migrate', { uri: `exec:cat > '${memoryImage}'` });
  await until({
    what: 'the memory image is written',
    timeoutMs: 120_000,
    probe: async () => {
      const now = await status(emulator, 'query-migrate');
      if (now === 'failed' || now === 'cancelled')
        throw new RigError(`QEMU could not write the memory image: ${now}`);
      return now === 'completed' ? true : undefined;
    },
  });
  await emulator.qmp('quit').catch(() => undefined);
  await until({ what: 'QEMU ends', timeoutMs: 30_000, probe: () => (emulator.running() ? undefined : true) });
}

/** The port of 127.0.0.1 behind which the machine's sshd is. */
export async function forwardedPort(emulator: Emulator): Promise<number> {
  const network = await emulator.monitor('info usernet');
  const port = /TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(?<port>\d+)/.exec(network)?.groups?.['port'];
  if (port === undefined) throw new RigError(`QEMU names no forwarded port: ${network}`);
  return Number(port);
}

/** Opens the shared ssh connection and gives the machine its name and the time of day (a snapshot's clock stands still). */
export async function connectTo(options: {
  readonly emulator: Emulator;
  readonly image: Image;
  readonly place: Place;
  readonly timeoutMs?: number;
}): Promise<Connection> {
  const { emulator, image, place } = options;
  const { name, dir } = place;
  const port = await forwardedPort(emulator);
  const seconds = (Date.now() / 1000).toFixed(2);
  const own =
    place.link === undefined ? `echo '127.0.0.1 localhost ${name}' > /run/hosts` : plugIn(place.link);
  const hello = `date -s @${seconds} >/dev/null; hostname '${name}'; ${own}`;
  try {
    return await connect({
      dir,
      port,
      key: image.sshKey,
      hello,
      timeoutMs: options.timeoutMs ?? 60_000,
    });
  } catch (cause) {
    throw await withConsole(dir, cause);
  }
}

/** What the machine wrote to its console since it was last started. */
export async function consoleText(dir: string): Promise<string> {
  return await readFile(join(dir, 'console.log'), 'utf8').catch(() => '');
}

function kernelWords({ image, hold }: Shape, name: string): readonly string[] {
  const init = image.init === 'systemd' ? '/lib/systemd/systemd' : '/rig-init';
  const held = hold === true ? ['rig-hold'] : [];
  return ['root=/dev/vda', 'rw', `init=${init}`, `host=${name}`, ...held];
}

function machineArgv(
  shape: Shape,
  how: Pick<Place, 'dir' | 'link' | 'sockets'> & {
    readonly consoleFile: string;
    readonly words: readonly string[];
  },
): readonly string[] {
  const boot = bootArgv({ ...shape, consoleFile: how.consoleFile, kernelWords: how.words });
  const files = diskFiles(how.dir, shape.disks);
  const network = [...networkArgv, ...(shape.link === true ? linkArgv(how.link) : [])];
  if (shape.volatile === true) return [...boot, ...network, ...monitorArgv, ...loggedDiskArgv(files)];
  if (how.sockets !== undefined) return [...boot, ...network, ...monitorArgv, ...servedDiskArgv(how.sockets)];
  return [...boot, ...diskArgv(files), ...network, ...monitorArgv];
}

async function status(emulator: Emulator, query: string): Promise<string> {
  const answer = await emulator.qmp(query);
  return typeof answer === 'object' && answer !== null && 'status' in answer ? String(answer.status) : '';
}

async function withConsole(dir: string, cause: unknown): Promise<RigError> {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new RigError(
    `${message}\n--- the machine's console ends with ---\n${lastLines(await consoleText(dir), 60)}`,
    { cause },
  );
}
