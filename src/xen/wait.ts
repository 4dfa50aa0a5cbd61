import type { ReadHost } from '../command/index.ts';

export { until } from '../blockdevice/index.ts';

const devices = '/sys/bus/xen-backend/devices';
const backend = /^(?:vbd|vif)-(?<domid>\d+)-\d+$/;

/** A disk or network backend in this kernel. While it exists, the device under it is in use. */
export interface Backend {
  readonly name: string;
  readonly domid: number;
  /** `major:minor` of the device under a disk, once the hotplug script has set it. */
  readonly device?: string;
}

/** Every disk and network backend of this host; they can outlive their domain. */
export async function backends(host: ReadHost): Promise<readonly Backend[]> {
  if ((await host.stat(devices)) === undefined) return [];
  const found: Backend[] = [];
  for (const name of await host.readDir(devices)) {
    const domid = backend.exec(name)?.groups?.domid;
    if (domid === undefined) continue;
    const device = name.startsWith('vbd-')
      ? await deviceOf(host, `${devices}/${name}/physical_device`)
      : undefined;
    found.push({ name, domid: Number(domid), ...(device === undefined ? {} : { device }) });
  }
  return found;
}

// xen-blkback prints the numbers in hex: fd:3 is 253:3. The backend may disappear between the
// listing and the reading.
async function deviceOf(host: ReadHost, path: string): Promise<string | undefined> {
  if ((await host.stat(path)) === undefined) return undefined;
  const text = new TextDecoder().decode(await host.readFile(path)).trim();
  const groups = /^(?<major>[0-9a-f]+):(?<minor>[0-9a-f]+)$/.exec(text)?.groups;
  if (groups?.major === undefined || groups.minor === undefined) return undefined;
  return `${Number.parseInt(groups.major, 16)}:${Number.parseInt(groups.minor, 16)}`;
}
