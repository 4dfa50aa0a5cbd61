import { openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { installBofh } from '../dom0/install.ts';
import { chooseAccel } from '../rig/accel.ts';
import type { Shape } from '../rig/boot.ts';
import { defaultDisks } from '../rig/disks.ts';
import { buildImage, fingerprint, type Hypervisor, type Machine } from '../rig/index.ts';
import { Medium } from '../rig/medium.ts';
import { mustRun } from '../rig/process.ts';
import { bootServed, goOn, holdBoot, ServedDisks } from '../rig/served.ts';
import { guest } from '../matrix/stage.ts';
import type { Range } from './model.ts';
import { readRecording, rebuild, Recorder } from './recording.ts';
import { type CutSequence, scriptPath } from './sequences.ts';

/** The machine whose power is cut: what its disks held before any recording, and where all of it is kept. */
export interface CutHost {
  readonly dir: string;
  readonly media: readonly Medium[];
  /** Where ext4 needs its blocks of 4 KiB whole. */
  readonly whole: readonly Range[];
  readonly shapes: Readonly<Record<Hypervisor, Shape>>;
  /** Memory images of a boot that was held, by hypervisor. */
  readonly held: Map<Hypervisor, string>;
}

/** One recording's facts. Each moment is a number of events. */
export interface Facts {
  readonly name: string;
  readonly date: string;
  /** The command is started; it has reported success; the recording ends. */
  readonly begun: number;
  readonly reported: number;
  readonly ended: number;
  readonly boot: string;
}

/** Draws nothing: for a cut at which nothing is left to chance. */
export const certain = { draw: () => 0 };

/** The host with bofh and with other people's volumes on it; made once and kept. */
export async function openHost(dir: string, say: (text: string) => void): Promise<CutHost> {
  const image = await buildImage({ progress: say });
  const shape = async (hypervisor: Hypervisor): Promise<Shape> => ({
    ...{ image, hypervisor, cpus: 1, disks: defaultDisks },
    accel: await chooseAccel({ image, hypervisor }),
    memoryMiB: hypervisor === 'xen' ? 3072 : 1536,
  });
  const shapes = { xen: await shape('xen'), none: await shape('none') };
  const fresh = [
    new Medium(statSync(image.system).size, openSync(image.system, 'r')),
    ...defaultDisks.map(({ sizeMiB }) => new Medium(sizeMiB * 2 ** 20, openSync('/dev/null', 'r'))),
  ];
  const kept = join(dir, 'host');
  if (readRecording(kept) === undefined) await makeHost(kept, { shape: shapes.none, fresh, say });
  const recording = readRecording<{ readonly image: string }>(kept);
  if (recording?.facts.image !== image.dir)
    throw new Error(`${kept} is of another image: remove it, and the recordings beside it`);
  const { media } = rebuild(recording, fresh, { cut: { at: Infinity, kept: 1, torn: 0 }, ...certain });
  return { dir, media, shapes, whole: await ext4Of(image.system), held: new Map() };
}

/**
 * A superblock or a commit block of ext4 that is torn within its 4 KiB fails its checksum, and the kernel does not mount the filesystem
 * any more. On the second disk lvm's own area ends at the first MiB, and filesystems may be anywhere behind it.
 */
async function ext4Of(system: string): Promise<readonly Range[]> {
  const { stdout } = await mustRun({ argv: ['debugfs', '-R', 'stat <8>', system], timeoutMs: 10_000 });
  const extents = [...stdout.toString().matchAll(/\(\d+(?:-\d+)?\):(?<from>\d+)(?:-(?<to>\d+))?/g)];
  if (extents.length === 0) throw new Error(`debugfs did not say where the journal of ${system} is`);
  const blocks = extents.map(({ groups }) => [Number(groups?.from), Number(groups?.to ?? groups?.from) + 1]);
  const onSystem = [[0, 1], ...blocks].map(([from = 0, to = 0]) => ({
    disk: 0,
    from: from * 4096,
    to: to * 4096,
  }));
  return [...onSystem, { disk: 1, from: 2 ** 20, to: Number.POSITIVE_INFINITY }];
}

async function makeHost(
  kept: string,
  {
    shape,
    fresh,
    say,
  }: { readonly shape: Shape; readonly fresh: readonly Medium[]; readonly say: (text: string) => void },
): Promise<void> {
  say('making the host');
  const recorder = new Recorder(kept);
  const media = fresh.map((medium) => new Medium(medium.size, medium));
  const { machine, close } = await bootServed(shape, {
    name: 'dom0',
    disks: new ServedDisks(media, recorder.log),
  });
  try {
    await machine.run('vgcreate --quiet vg0 /dev/vdb');
    await installBofh(machine);
    for (const name of foreign)
      await machine.run(
        `lvcreate --quiet -y -W y -L 8M -n ${name} vg0 && yes ${name} | dd of=/dev/vg0/${name} bs=64k count=16 iflag=fullblock conv=fsync status=none`,
      );
    await machine.putText(foreignConfig, 'not a guest of ours\n');
    await settle(machine);
  } finally {
    await close();
  }
  recorder.keep(kept, { image: shape.image.dir });
}

const foreign = ['web1', 'web1-root2', 'xweb1-root', 'web1-swapper'];
const foreignConfig = `/etc/xen/${guest}.cfg.bak`;

/** Nothing is in a cache any more. */
async function settle(machine: Machine): Promise<void> {
  await machine.run('udevadm settle; sync; sync /dev/vdb; sleep 1; sync; sync /dev/vdb');
}

/** Runs a sequence once, and keeps every write and flush of both disks. */
export async function record(
  host: CutHost,
  sequence: CutSequence,
  say: (text: string) => void,
): Promise<void> {
  const kept = folderOf(host, sequence);
  if (readRecording(kept) !== undefined) return;
  say(`recording ${sequence.name}`);
  const recorder = new Recorder(kept);
  const media = host.media.map((medium) => new Medium(medium.size, medium));
  const disks = new ServedDisks(media, recorder.log);
  const { machine, close } = await bootServed(host.shapes[sequence.hypervisor], { name: 'dom0', disks });
  try {
    if (sequence.script !== undefined)
      await machine.putText(
        scriptPath,
        `import { atomic } from 'bofh';\nawait atomic('cuts', async (tx) => {\n  ${sequence.script}\n});\n`,
      );
    await machine.run(sequence.setUp, { timeoutMs: 240_000 });
    await settle(machine);
    const boot = await bootOf(machine);
    const begun = disks.now;
    const { stdout } = await machine.run(`${sequence.command} 2>&1`, { timeoutMs: 600_000 });
    const reported = disks.now;
    // What is not flushed by then is written back by and by.
    await machine.run('sleep 8');
    const facts: Facts = {
      name: sequence.name,
      date: new Date().toISOString(),
      begun,
      reported,
      ended: disks.now,
      boot,
    };
    await close();
    recorder.keep(kept, facts);
    say(`${sequence.name}: ${reported - begun} events until it reported\n${stdout.trim()}`);
  } finally {
    await close();
  }
}

/** A machine that boots from what a cut has left. */
export async function bootFrom(
  host: CutHost,
  sequence: CutSequence,
  media: readonly Medium[],
): Promise<Awaited<ReturnType<typeof bootServed>>> {
  media[0]?.write(0, goOn);
  const held = await heldBoot(host, sequence.hypervisor);
  return await bootServed(host.shapes[sequence.hypervisor], {
    name: 'dom0',
    disks: new ServedDisks(media),
    held,
  });
}

async function heldBoot(host: CutHost, hypervisor: Hypervisor): Promise<string> {
  const known = host.held.get(hypervisor);
  if (known !== undefined) return known;
  const memoryImage = join(host.dir, `held-${hypervisor}`);
  await holdBoot(host.shapes[hypervisor], { name: 'dom0', disks: new ServedDisks(host.media), memoryImage });
  host.held.set(hypervisor, memoryImage);
  return memoryImage;
}

/** The host as a text: its fingerprint, what the sequence adds, and what is of others. */
export async function stateOf(machine: Machine, { content }: CutSequence): Promise<string> {
  const { text } = await fingerprint(machine);
  const paths = foreign.map((name) => `/dev/vg0/${name}`).join(' ');
  const { stdout: of } = await machine.run(`md5sum ${paths} ${foreignConfig}`);
  const { stdout } = await machine.run(`{ ${content}; } 2>&1`, { check: 'return', timeoutMs: 240_000 });
  return `${text}== of others\n${of}== content\n${stdout}`;
}

export async function bootOf(machine: Machine): Promise<string> {
  return (await machine.run('cat /proc/sys/kernel/random/boot_id')).stdout.trim();
}

export function folderOf({ dir }: CutHost, { name }: CutSequence): string {
  return join(dir, name.replace(/[^\w+-]+/g, '-'));
}
