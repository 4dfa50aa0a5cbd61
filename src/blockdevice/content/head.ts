import { createHash } from 'node:crypto';
import { CommandError } from '../../core/errors.ts';
import type { Changed } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { bytesAt, directBytesAt } from '../bytes-at.ts';
import { mountsOn } from '../holders/tree.ts';
import { size } from '../node.ts';
import { probe } from '../probe.ts';
import { contentInWords } from './words.ts';

/**
 * Every program that formats a device, or mounts its filesystem for writing, writes to these first
 * bytes.
 */
const head = 128 * 1024;
/** lvcreate zeroes this much (lvm.conf(5), `wipe_signatures_when_zeroing_new_lvs` and `--zero`). */
const zeroed = 4096;

/** Returns a witness of the content of a device, optionally from an offset on. */
export async function deviceWitness(host: ReadHost, device: string, from = 0): Promise<string> {
  return partWitness(host, device, { from, to: await size(host, device) });
}

/**
 * Returns a witness of a part of a device: SHA-256 of its first and of its last 128 KiB, or
 * `unreadable` after an I/O error. `to` is the first byte after the part. Reads a device bypassing
 * the page cache; a file has one cache for all programs.
 */
export async function partWitness(
  host: ReadHost,
  device: string,
  { from, to }: { readonly from: Bytes; readonly to: Bytes },
  read: typeof bytesAt = directBytesAt,
): Promise<string> {
  const count = Math.min(head, to - from);
  const sumAt = async (at: Bytes): Promise<string> => {
    try {
      const { buffer, byteOffset, byteLength } = await host.run(read(device, { from: at, count }));
      return createHash('sha256')
        .update(new Uint8Array(buffer, byteOffset, byteLength))
        .digest('hex');
    } catch (error) {
      // A device with an invalid snapshot, or a broken disk, must be removable too.
      if (error instanceof CommandError && error.stderr.includes('Input/output error')) return 'unreadable';
      throw error;
    }
  };
  const [first, last] = await Promise.all([sumAt(from), to - count === from ? undefined : sumAt(to - count)]);
  return `${first}-${last ?? first}`;
}

/**
 * Returns what other programs have created on a device that was new, blank and started with zeros.
 * Content that the sequence itself created there and undid leaves bytes behind, but no signature.
 */
export async function blankChanged(
  host: ReadHost,
  device: string,
  since: 'new' | 'used by the sequence',
): Promise<Changed | undefined> {
  const signature = await probe(host, device);
  if (signature !== undefined) return { found: `${device} holds ${contentInWords(signature)}` };
  return since !== 'new' || (await isZero(host, device, zeroed))
    ? undefined
    : { found: `others wrote to the start of ${device}`, fromBytes: true };
}

/**
 * Whether a device is mounted for writing. Then writes may not be on the device yet, and its bytes
 * prove nothing.
 */
export async function isMountedForWriting(host: ReadHost, device: string): Promise<boolean> {
  return (await mountsOn(host, device)).some(({ superOptions }) => superOptions.split(',').includes('rw'));
}

/** Whether the first `size` bytes of a device or a file are zeros. Reads no more than 128 KiB. */
export async function isZero(host: ReadHost, path: string, size: Bytes): Promise<boolean> {
  const { buffer } = await host.run(bytesAt(path, { from: 0, count: Math.min(head, size) }));
  return new Uint8Array(buffer).every((byte) => byte === 0);
}
