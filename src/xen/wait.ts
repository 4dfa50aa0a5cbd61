import { follow, type ReadHost } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { present } from '../core/present.ts';

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
    found.push({ name, domid: Number(domid), ...present({ device }) });
  }
  return found;
}

/**
 * The number of write and discard requests of a domain that the backend of a device has passed on since it
 * was attached; 0 if there is no such backend (yet). Throws ParseError if the kernel does not show it.
 */
export async function writesTo(host: ReadHost, domid: number, path: string): Promise<number> {
  const node = (await follow(host, path)).stat?.node;
  const found = (await backends(host)).find((each) => each.domid === domid && each.device === node);
  if (node === undefined || found === undefined) return 0;
  let sum = 0;
  for (const key of ['wr_req', 'ds_req']) {
    const at = `${devices}/${found.name}/statistics/${key}`;
    const text = new TextDecoder().decode(await host.readFile(at)).trim();
    if (!/^\d+$/.test(text)) throw new ParseError(`cannot read ${at}: "${text}"`);
    sum += Number(text);
  }
  return sum;
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
