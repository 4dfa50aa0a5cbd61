import type { Superblock } from './parts.ts';

/** A simulated qcow2 image. */
export interface Qcow2 {
  /** Size of the disk in it, in bytes. */
  readonly size: number;
  /** What blkid finds on that disk. */
  readonly superblock?: Superblock;
  /** Files of the filesystem on it: content by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly backing?: string;
  readonly dataFile?: string;
  readonly encrypted?: true;
  readonly truncated?: true;
  /** A gpt, with what is in each partition; `from` and `size` are bytes. */
  readonly partitions?: readonly (Pick<Qcow2, 'size' | 'superblock' | 'files'> & {
    readonly from: number;
    readonly type: string;
    readonly uuid: string;
  })[];
}

const magic = 'QFI\xfb simulated\n';

/** The content of a file that the simulated qemu-img reads as a qcow2 image. */
export function qcow2(image: Qcow2): Uint8Array {
  return Buffer.from(magic + JSON.stringify(image), 'latin1');
}

/** Returns undefined if the content is no simulated qcow2 image. */
export function readQcow2(content: Uint8Array | undefined): Qcow2 | undefined {
  const text = Buffer.from(content ?? []).toString('latin1');
  return text.startsWith(magic) ? (JSON.parse(text.slice(magic.length)) as Qcow2) : undefined;
}
