import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from './image.ts';
import { mustRun } from './process.ts';

/** A disk beside the system's; with a volume group's name the group is made on it at the first boot. */
export type DiskSpec = { readonly sizeMiB: number; readonly volumeGroup?: string };

/** What a machine has beside its system disk when nothing is said: /dev/vdb, sparse, holding `vg0`. */
export const defaultDisks: readonly DiskSpec[] = [{ sizeMiB: 8192, volumeGroup: 'vg0' }];

/** The device that the n-th (from 0) disk of `disks` is in the machine. */
export function deviceOf(index: number): string {
  return `/dev/vd${String.fromCharCode('b'.charCodeAt(0) + index)}`;
}

/** File names in the order of the devices: vda, vdb, … */
export function diskFiles(dir: string, disks: readonly DiskSpec[]): readonly string[] {
  return ['system.qcow2', ...disks.map((_, index) => `data${String(index)}.qcow2`)].map((name) =>
    join(dir, name),
  );
}

/** Empty data disks, and a system disk that is an overlay over the image's; `backing` is as seen from `dir`. */
export async function makeFreshDisks(options: {
  readonly dir: string;
  readonly image: Image;
  readonly disks: readonly DiskSpec[];
  readonly backing?: string;
}): Promise<void> {
  const [system, ...data] = diskFiles(options.dir, options.disks);
  await qemuImg([
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    options.backing ?? options.image.system,
    '-F',
    'raw',
    String(system),
  ]);
  for (const [index, file] of data.entries())
    await qemuImg(['create', '-q', '-f', 'qcow2', file, `${String(options.disks[index]?.sizeMiB)}M`]);
}

/** Private overlays over the frozen disks of a snapshot: made in milliseconds, whatever the disks hold. */
export async function overlayDisks(options: {
  readonly from: string;
  readonly dir: string;
  readonly disks: readonly DiskSpec[];
}): Promise<void> {
  const frozen = diskFiles(options.from, options.disks);
  for (const [index, file] of diskFiles(options.dir, options.disks).entries())
    await qemuImg(['create', '-q', '-f', 'qcow2', '-b', String(frozen[index]), '-F', 'qcow2', file]);
}

/** Moves a machine's disks, while nothing runs on them; what they are overlays of is named absolutely and stays. */
export async function moveDisks(options: {
  readonly from: string;
  readonly to: string;
  readonly disks: readonly DiskSpec[];
}): Promise<void> {
  const target = diskFiles(options.to, options.disks);
  for (const [index, file] of diskFiles(options.from, options.disks).entries())
    await rename(file, String(target[index]));
}

async function qemuImg(args: readonly string[]): Promise<void> {
  await mustRun({ argv: ['qemu-img', ...args], timeoutMs: 60_000 });
}
