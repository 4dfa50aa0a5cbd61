import { namesIn, type ReadHost, textOf } from '../command/index.ts';
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
  const found: Backend[] = [];
  for (const name of await namesIn(host, devices)) {
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
 * The number of write and discard requests that the backend of a disk has passed on since it was
 * attached; 0 if the domain has no such backend (yet). The path of the device does not find the
 * backend: a volume in use can be renamed. Throws ParseError if the kernel does not show the
 * number.
 */
export async function writesTo(
  host: ReadHost,
  { domid, vdev }: { readonly domid: number; readonly vdev: string },
): Promise<number> {
  const name = `vbd-${domid}-${numberOf(vdev)}`;
  if (!(await backends(host)).some((each) => each.name === name)) return 0;
  let sum = 0;
  for (const key of ['wr_req', 'ds_req']) {
    const at = `${devices}/${name}/statistics/${key}`;
    const text = (await textOf(host, at))?.trim();
    if (text === undefined) return 0;
    if (!/^\d+$/.test(text)) throw new ParseError(`cannot read ${at}: "${text}"`);
    sum += Number(text);
  }
  return sum;
}

/**
 * The number of a disk of a guest, `xvdb` or `xvdb1` (xen-vbd-interface(7),
 * libxl__device_disk_dev_number).
 */
function numberOf(vdev: string): number {
  const { letter = '', part = '0' } = /^xvd(?<letter>[a-z])(?<part>\d*)$/.exec(vdev)?.groups ?? {};
  if (letter === '') throw new TypeError(`the disk ${vdev} has no known number`);
  const [disk, partition] = [letter.charCodeAt(0) - 97, Number(part)];
  return disk < 16 && partition < 16 ? 202 * 256 + disk * 16 + partition : 2 ** 28 + disk * 256 + partition;
}

// xen-blkback prints the numbers in hex: fd:3 is 253:3. The backend may disappear between the
// listing and the reading.
async function deviceOf(host: ReadHost, path: string): Promise<string | undefined> {
  const text = (await textOf(host, path)) ?? '';
  const groups = /^(?<major>[0-9a-f]+):(?<minor>[0-9a-f]+)\n?$/.exec(text)?.groups;
  if (groups?.major === undefined || groups.minor === undefined) return undefined;
  return `${Number.parseInt(groups.major, 16)}:${Number.parseInt(groups.minor, 16)}`;
}
