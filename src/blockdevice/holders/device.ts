import { posix } from 'node:path';
import type { ReadHost } from '../../command/index.ts';

/** A block device as the kernel knows it. */
export interface Device {
  readonly number: string;
  /** The kernel's name: `dm-3`. */
  readonly name: string;
  readonly sys: string;
}

/** Returns the node of a device by the kernel's name, in which `!` stands for `/`. */
export function nodeNamed(name: string): string {
  return `/dev/${name.replaceAll('!', '/')}`;
}

/** Returns the device with this number. */
export async function deviceByNumber(host: ReadHost, number: string): Promise<Device> {
  const sys = `/sys/dev/block/${number}`;
  return { number, sys, name: posix.basename(await host.readLink(sys)) };
}
