import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { xlInfo } from './commands.ts';
import type { GuestConfig } from './config/guest.ts';
import { xlConf } from './xl-conf.ts';

type Sized = Pick<GuestConfig, 'memoryMiB' | 'maxMemoryMiB' | 'vcpus' | 'maxVcpus' | 'type'>;

/**
 * The memory that libxl needs for a guest, in MiB: its memory, and 1 MiB more for a PV guest. A PVH or HVM
 * guest needs 2 MiB more, and page tables: 1 MiB per vcpu and 8 KiB per MiB, rounded up to 2 MiB
 * (libxl_mem.c, libxl__domain_need_memory_calculate; libxl_utils.c,
 * libxl_get_required_shadow_memory). The page tables are for `maxmem` and `maxvcpus`.
 */
export function neededMiB({
  memoryMiB,
  maxMemoryMiB = memoryMiB,
  vcpus,
  maxVcpus = vcpus,
  type,
}: Sized): number {
  const extra = type === 'pv' ? 1 : 2 + maxVcpus + (maxMemoryMiB * 8) / 1024;
  return Math.ceil((memoryMiB + extra) / 2) * 2;
}

/**
 * The error if there is too little memory for a guest; undefined if there is enough, or if xl may
 * take it from dom0.
 */
export async function memoryRefusal(
  host: ReadHost,
  guest: Sized & Pick<GuestConfig, 'name'>,
): Promise<string | undefined> {
  const { freeMemoryMiB, commandLine } = await host.run(xlInfo());
  const needed = neededMiB(guest);
  if (freeMemoryMiB >= needed) return undefined;
  if (await autoballoon(host, commandLine)) return undefined;
  return `${guest.name} needs ${needed} MiB of memory, but only ${freeMemoryMiB} MiB are free`;
}

/** The memory that `xl list` may leave out: video memory, and parts of a MiB. */
const unlistedMiB = 16;

/**
 * The error if a guest needs more memory after a restart than it has now, and the host has less than that
 * difference free; undefined if the host has enough, or if xl may take it from dom0.
 */
export async function moreMemoryRefusal(
  host: ReadHost,
  guest: Pick<GuestConfig, 'name' | 'memoryMiB'>,
  hasMiB: number,
): Promise<string | undefined> {
  const more = guest.memoryMiB - hasMiB;
  if (more <= unlistedMiB) return undefined;
  const { freeMemoryMiB, commandLine } = await host.run(xlInfo());
  if (freeMemoryMiB >= more || (await autoballoon(host, commandLine))) return undefined;
  return `${guest.name} needs ${Math.ceil(more)} MiB of memory more than it has, but only ${freeMemoryMiB} MiB are free`;
}

/**
 * Throws RefusedError if the host has too little free memory to give a running guest more. xl takes memory
 * from dom0 only for a new guest.
 */
export async function refuseMissingMemory(
  host: ReadHost,
  { name, hasMiB, toMiB }: { readonly name: string; readonly hasMiB: number; readonly toMiB: number },
): Promise<void> {
  if (toMiB <= hasMiB) return;
  const { freeMemoryMiB } = await host.run(xlInfo());
  const more = Math.ceil(toMiB - hasMiB);
  if (freeMemoryMiB >= more) return;
  throw new RefusedError(
    `${name} has ${hasMiB} MiB of memory and needs ${more} MiB more, but only ${freeMemoryMiB} MiB are free`,
    {
      code: 'no-space',
      remedy: 'request less memory, or shut down another guest; see the guests: bofh vm list',
    },
  );
}

// auto_autoballoon in tools/xl/xl.c (4.17; it knows percentages since 4.16): "auto", the default,
// shrinks dom0 for a new guest unless the hypervisor was started with dom0_mem=.
const dom0Mem =
  /(?:^| )dom0_mem=(?:(?:|min:|max:)(?:-?\d+[bBkKmMgGtT]?|(?:-?\d+[bBkKmMgGtT]?\+)?\d{1,2}%),?)+(?:$| )/;

async function autoballoon(host: ReadHost, commandLine: string): Promise<boolean> {
  const value = (await xlConf(host, 'autoballoon')) ?? 'auto';
  if (value === 'auto') return !dom0Mem.test(commandLine);
  return value === 'on' || value === '1';
}
