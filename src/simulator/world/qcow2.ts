import type { Superblock } from './parts.ts';

/** A simulated qcow2 image. */
export interface Qcow2 {
  /** Size of the disk in it, in bytes. */
  readonly size: number;
  /** The content of that disk as blkid reports it. */
  readonly superblock?: Superblock;
  /** Files of its filesystem: content by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly backing?: string;
  readonly dataFile?: string;
  readonly encrypted?: true;
  readonly truncated?: true;
  /** A gpt, with the content of each partition; `from` and `size` are in bytes. */
  readonly partitions?: readonly (Pick<Qcow2, 'size' | 'superblock' | 'files'> & {
    readonly from: number;
    readonly type: string;
    readonly uuid: string;
  })[];
}

const magic = 'QFI\xfb simulated\n';

/** Returns the content of a file that the simulated qemu-img reads as a qcow2 image. */
export function qcow2(image: Qcow2): Uint8Array {
  return Buffer.from(magic + JSON.stringify(image), 'latin1');
}

/** Parses an image. Returns undefined if the content is not a simulated qcow2 image. */
export function readQcow2(content: Uint8Array | undefined): Qcow2 | undefined {
  const text = Buffer.from(content ?? []).toString('latin1');
  return text.startsWith(magic) ? (JSON.parse(text.slice(magic.length)) as Qcow2) : undefined;
}
