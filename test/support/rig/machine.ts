import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseAccel } from './accel.ts';
import {
  coldBoot,
  connectTo,
  consoleText,
  forwardedPort,
  freeze,
  type Place,
  type Shape,
  thaw,
} from './boot.ts';
import { defaultDisks, diskFiles, type DiskSpec, makeFreshDisks, moveDisks, overlayDisks } from './disks.ts';
import type { Emulator } from './emulator.ts';
import { RigError } from './errors.ts';
import { buildImage, defaultSuite, type Progress } from './image.ts';
import type { LinkEnd } from './link.ts';
import type { Hypervisor } from './qemu-argv.ts';
import { firstBoot, readySnapshot } from './ready.ts';
import type { Init, Suite } from './recipe.ts';
import { makeRunDir } from './run-dir.ts';
import type { Connection, RunOptions, RunResult } from './ssh.ts';
import { type FileEntry, getFile, putEntries, putPath } from './transfer.ts';
import { layDisks, loseUnflushed } from './volatile.ts';

/** The requested machine. */
export type MachineOptions = {
  /** `xen`: a dom0 under Xen; `none`: the same Debian on the bare machine. */
  readonly hypervisor: Hypervisor;
  readonly suite?: Suite;
  /** Process 1: `rig` (the default) is fast, `systemd` is what a real host has. */
  readonly init?: Init;
  /** Host name; `rig` when nothing is said. */
  readonly name?: string;
  /** Disks beside the system's: /dev/vdb, /dev/vdc, … One of 8 GiB with the volume group `vg0` when nothing is said. */
  readonly disks?: readonly DiskSpec[];
  /** 3072 with Xen (half of it dom0's), else 1536. */
  readonly memoryMiB?: number;
  /** Processors; when nothing is said `$BOFH_RIG_CPUS`, or 2, or 1 in `npm test`, where two machines go side by side. */
  readonly cpus?: number;
  /** `ready` (the default) starts from a cached snapshot of a booted machine, `none` boots. */
  readonly snapshot?: 'ready' | 'none';
  /** `volatile`: the disks have a write cache, and `powerCut` can take what was not flushed. Slower. */
  readonly writes?: 'kept' | 'volatile';
  /** Adds a CD drive without a medium; the guest needs the modules ahci and sr_mod for it. */
  readonly emptyDrive?: boolean;
  /** Its end of a cable to another machine; what `bootPair` gives it. */
  readonly link?: LinkEnd;
  readonly progress?: Progress;
};

/** Two machines of two processors each on a host of two wait for one another's locks, which the emulator cannot know. */
function defaultCpus(): number {
  const asked = process.env['BOFH_RIG_CPUS'];
  if (asked !== undefined) {
    if (!/^[1-9]\d?$/.test(asked))
      throw new RigError(`BOFH_RIG_CPUS is "${asked}", not a number of processors`);
    return Number(asked);
  }
  return process.env['BOFH_RIG'] === 'sample' ? 1 : 2;
}

/** Starts a machine of its own: nothing that happens in it is seen by another or by a later one. */
export async function bootMachine(options: MachineOptions): Promise<Machine> {
  const progress = options.progress ?? (() => undefined);
  const { hypervisor } = options;
  const image = await buildImage({
    suite: options.suite ?? defaultSuite(),
    init: options.init ?? 'rig',
    progress,
  });
  const shape: Shape = {
    image,
    hypervisor,
    accel: await chooseAccel({ image, hypervisor }),
    memoryMiB: options.memoryMiB ?? (hypervisor === 'xen' ? 3072 : 1536),
    cpus: options.cpus ?? defaultCpus(),
    disks: options.disks ?? defaultDisks,
    ...(options.writes === 'volatile' ? { volatile: true } : {}),
    ...(options.link === undefined ? {} : { link: true }),
    ...(options.emptyDrive === true ? { emptyDrive: true } : {}),
  };
  const name = options.name ?? 'rig';
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new RigError(`"${name}" is not a host name`);
  const frozen = options.snapshot === 'none' ? undefined : await readySnapshot(shape, progress);
  progress(frozen === undefined ? 'booting' : 'starting from the snapshot');
  const link = options.link === undefined ? {} : { link: options.link };
  const machine = new Machine(shape, { name, dir: await makeRunDir(), ...link });
  try {
    await machine.start(frozen);
    return machine;
  } catch (cause) {
    await machine.close();
    throw cause;
  }
}

/** A running (or, after `powerCut`, dark) host of the rig. */
export class Machine {
  readonly name: string;
  readonly shape: Shape;
  readonly #place: Place;
  #cable: 'in' | 'out' = 'in';
  #emulator: Emulator | undefined;
  #connection: Connection | undefined;
  readonly #snapshots = new Map<string, string>();
  #made = 0;

  constructor(shape: Shape, place: Place) {
    this.shape = shape;
    this.name = place.name;
    this.#place = place;
  }

  /** Used by `bootMachine`: first start, from a frozen machine's folder or from fresh disks. */
  async start(frozen: string | undefined): Promise<void> {
    const { disks, image } = this.shape;
    if (frozen === undefined) {
      await makeFreshDisks({ dir: this.#dir, image, disks });
      await this.#layDisks();
      this.#emulator = await coldBoot(this.shape, this.#place);
      await firstBoot(await this.#connect(), this.shape);
      return;
    }
    await this.#thaw(frozen);
  }

  /** Process id of QEMU. */
  get pid(): number {
    return this.#running().pid;
  }

  /** Whether it has power. */
  get isOn(): boolean {
    return this.#emulator?.running() === true;
  }

  /** Where its sshd is, and the key of root, for an ssh of the test's own. */
  async sshAddress(): Promise<{ readonly port: number; readonly key: string }> {
    return { port: await forwardedPort(this.#running()), key: this.shape.image.sshKey };
  }

  /** Runs a command as root: a string for the shell, or words. A status other than 0 throws RigCommandError unless `check: 'return'`. */
  async run(command: string | readonly string[], options?: RunOptions): Promise<RunResult> {
    const connection = await this.#connect();
    const { exitCode, stdout, stderr } = await connection.run(command, options);
    return { exitCode, stdout: stdout.toString(), stderr };
  }

  /** Copies a local file to the path `to`, a local folder's content into the folder `to`, or made-up entries below it. */
  async put(what: string | readonly FileEntry[], to: string): Promise<void> {
    const connection = await this.#connect();
    if (typeof what === 'string') await putPath(connection, { from: what, to });
    else await putEntries(connection, { entries: what, to });
  }

  /** Writes one text file, with its folders. */
  async putText(path: string, text: string, mode = 0o644): Promise<void> {
    await this.put([{ path: path.replace(/^\/+/, ''), text, mode }], '/');
  }

  /** The content of a file. */
  async get(path: string): Promise<Buffer> {
    return await getFile(await this.#connect(), path);
  }

  /** Gives the terminal to a shell (or a command) in the machine; answers its status. */
  async interactive(command?: string): Promise<number> {
    return await (await this.#connect()).interactive(command);
  }

  /** What the machine's console showed since its last start; a start from a snapshot begins empty. */
  async console(): Promise<string> {
    return await consoleText(this.#dir);
  }

  /**
   * The power fails, now. Commands under way fail; `boot` comes next. `unflushed: 'lost'` (for a machine with `volatile`
   * writes): nothing that was not flushed is on the disks.
   */
  async powerCut(options: { readonly unflushed?: 'kept' | 'lost' } = {}): Promise<void> {
    await this.#running().kill();
    await this.#disconnect();
    this.#emulator = undefined;
    if (options.unflushed !== 'lost') return;
    if (this.shape.volatile !== true) throw new RigError('this machine was not started with volatile writes');
    await loseUnflushed({ dir: this.#dir, disks: this.shape.disks });
  }

  /** While it is off: each of two disks (from 0, without the system's) has the other's place at the next boot. */
  async swapDisks(one: number, other: number): Promise<void> {
    if (this.isOn) throw new RigError('the machine runs');
    const [, ...data] = diskFiles(this.#dir, this.shape.disks);
    const [a, b] = [data[one], data[other]];
    if (a === undefined || b === undefined) throw new RigError('there is no such disk');
    await rename(a, `${a}.swap`);
    await rename(b, a);
    await rename(`${a}.swap`, b);
  }

  /** Boots from the disks as they are, after a power cut. */
  async boot(): Promise<void> {
    if (this.isOn) throw new RigError('the machine runs already');
    await this.#layDisks();
    await this.#runs(await coldBoot(this.shape, this.#place));
  }

  /** Plugs the cable to the other machine in, or pulls it; also of a machine that is off, for its next start. */
  async plug(cable: 'in' | 'out'): Promise<void> {
    if (this.shape.link !== true) throw new RigError('this machine has no cable to another one');
    this.#cable = cable;
    await this.#emulator?.qmp('set_link', { name: 'net1', up: cable === 'in' });
  }

  /** Keeps memory and disks as they are now, under a name; the machine goes on. */
  async saveSnapshot(tag: string): Promise<void> {
    await this.#disconnect();
    const kept = join(this.#dir, `snapshot-${String(++this.#made)}`);
    await mkdir(kept);
    await freeze(this.#running(), join(kept, 'memory'));
    await moveDisks({ from: this.#dir, to: kept, disks: this.shape.disks });
    this.#snapshots.set(tag, kept);
    await this.#thaw(kept);
  }

  /** Takes memory and disks back to what they were at `saveSnapshot`; what happened since has not happened. Works after a power cut, too. */
  async loadSnapshot(tag: string): Promise<void> {
    const kept = this.#snapshots.get(tag);
    if (kept === undefined) throw new RigError(`there is no snapshot "${tag}"`);
    await this.#emulator?.kill();
    await this.#disconnect();
    await this.#thaw(kept);
  }

  /** Ends QEMU and removes the machine's files. */
  async close(): Promise<void> {
    await this.#emulator?.kill();
    await this.#disconnect();
    this.#emulator = undefined;
    await rm(this.#dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * A new QEMU each time. Its own savevm and loadvm are no way under TCG: a guest costs three times the processor time after savevm,
   * and after loadvm Xen's clocks disagree and timers come minutes late (QEMU 7.2; the TSC does not go back, the HPET does).
   */
  async #thaw(frozen: string): Promise<void> {
    await overlayDisks({ from: frozen, dir: this.#dir, disks: this.shape.disks });
    await this.#layDisks();
    await this.#runs(await thaw(this.shape, { ...this.#place, memoryImage: join(frozen, 'memory') }));
  }

  /** A cable that is pulled stays so; nothing comes over it before the machine has its address from `#connect`. */
  async #runs(emulator: Emulator): Promise<void> {
    this.#emulator = emulator;
    if (this.#cable === 'out') await this.plug('out');
    await this.#connect();
  }

  async #layDisks(): Promise<void> {
    if (this.shape.volatile === true) await layDisks({ dir: this.#dir, disks: this.shape.disks });
  }

  get #dir(): string {
    return this.#place.dir;
  }

  #running(): Emulator {
    if (this.#emulator === undefined) throw new RigError('the machine is off');
    return this.#emulator;
  }

  async #connect(): Promise<Connection> {
    if (this.#connection?.alive() === true) return this.#connection;
    this.#connection = await connectTo({
      emulator: this.#running(),
      image: this.shape.image,
      place: this.#place,
    });
    return this.#connection;
  }

  async #disconnect(): Promise<void> {
    await this.#connection?.close();
    this.#connection = undefined;
  }
}
