import { createHash } from 'node:crypto';
import type { Changed } from '../../atomic/operation.ts';
import { partWitness, size } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';

const kib: Bytes = 1024;

/**
 * Returns the first and the last 128 KiB of a device, without the superblock at 64 KiB, whose magic
 * the kernel wipes. btrfs never allocates the rest of the first part (BTRFS_DEVICE_RANGE_RESERVED).
 */
function edgesOf(bytes: Bytes): readonly { readonly from: Bytes; readonly to: Bytes }[] {
  return [
    { from: 0, to: 64 * kib },
    { from: 68 * kib, to: 128 * kib },
    { from: bytes - 128 * kib, to: bytes },
  ];
}

/** Returns a witness of both ends of a device, for `edgesChanged`. */
export async function edgesWitness(host: ReadHost, device: string): Promise<string> {
  const witnesses: string[] = [];
  for (const part of edgesOf(await size(host, device))) witnesses.push(await partWitness(host, device, part));
  return witnesses.join(' ');
}

/**
 * Returns what others wrote to the ends of a device since its witness. Zeros do not count: an
 * interrupted act of btrfs leaves them. `wiped`: bofh wiped signatures at its start meanwhile, so
 * only its end is compared.
 */
export async function edgesChanged(
  host: ReadHost,
  device: string,
  { witness, wiped = false }: { readonly witness: string; readonly wiped?: boolean },
): Promise<Changed | undefined> {
  const before = witness.split(' ');
  const now = (await edgesWitness(host, device)).split(' ');
  const parts = edgesOf(await size(host, device));
  const differs = parts.findIndex(
    ({ from, to }, n) => now[n] !== before[n] && now[n] !== zeros(to - from) && !(wiped && n < 2),
  );
  if (differs === -1) return undefined;
  return { found: `others wrote to the ${differs === 2 ? 'end' : 'start'} of ${device}` };
}

/** Returns the witness of a range of zeros. */
function zeros(count: Bytes): string {
  const sum = createHash('sha256').update(new Uint8Array(count)).digest('hex');
  return `${sum}-${sum}`;
}
