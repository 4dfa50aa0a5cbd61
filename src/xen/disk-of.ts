import { follow, type ReadHost } from '../command/index.ts';
import { guestConfigs } from './guests.ts';

/** A guest whose configuration names a device as its disk. */
export interface DiskOf {
  /** The name of the guest, or the path of an unreadable configuration that contains the path of the device. */
  readonly guest: string;
  readonly file: string;
}

/** The guests, running or not, whose configuration names a device by one of its paths. */
export async function guestsWithDisk(
  host: ReadHost,
  dirs: readonly string[],
  paths: readonly string[],
): Promise<readonly DiskOf[]> {
  const nodes = new Set<string>();
  for (const path of paths) {
    const node = (await follow(host, path)).stat?.node;
    if (node !== undefined) nodes.add(node);
  }
  const { guests, problems } = await guestConfigs(host, dirs);
  const found: DiskOf[] = [];
  for (const { name, file, disks } of guests)
    for (const { path } of disks) {
      if (path === undefined) continue;
      const node = (await follow(host, path)).stat?.node;
      if (paths.includes(path) || (node !== undefined && nodes.has(node))) {
        found.push({ guest: name, file });
        break;
      }
    }
  for (const { file } of problems) {
    if ((await follow(host, file)).stat?.kind !== 'file') continue;
    const text = Buffer.from(await host.readFile(file)).toString('latin1');
    // Also in an invalid file, the path of a disk is between quotes, commas or colons.
    const words = new Set(text.split(/[\s"',:=]+/));
    if (paths.some((path) => words.has(path) || words.has(path.replace(/^\/dev\//, ''))))
      found.push({ guest: file, file });
  }
  return found;
}
