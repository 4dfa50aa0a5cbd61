import * as api from '../../../api/btrfs.ts';
import * as btrfs from '../../../btrfs/index.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { BtrfsDevice, BtrfsDevices, BtrfsReplaced } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs device list PATH` */
export async function list(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const found = await btrfs.devices(bofh.host, path);
  const data: BtrfsDevices = found.map((each) => ({ ...each, path: each.path ?? null }));
  give(runtime, {
    data,
    head: ['NUMBER', 'DEVICE', 'SIZE', 'ALLOCATED'],
    rows: data.map(({ devid, path: device, size, allocated }) => [
      devid === 0 ? 'replaces another' : String(devid),
      device === null ? 'missing' : printable(device),
      formatSize(size),
      formatSize(allocated),
    ]),
    none: 'no device',
  });
  return 0;
}

/** `bofh btrfs device add PATH DEVICE` */
export async function add(
  runtime: Runtime,
  {
    path,
    device,
    overwrite,
  }: { readonly path: string; readonly device: string; readonly overwrite?: string },
): Promise<number> {
  return overwriting<BtrfsDevice>(runtime, { device, overwrite }, (more) => ({
    act: () => api.addDevice({ path, device, ...more }),
    answer: (data): Answer<BtrfsDevice> => ({
      data,
      lines: [`${printable(device)} is the device ${data.devid} of ${printable(path)} now`],
    }),
  }));
}

/** `bofh btrfs device replace PATH DEVICE|NUMBER BY`: the old one has no superblock any more then. */
export async function replace(
  runtime: Runtime,
  asked: {
    readonly path: string;
    readonly device: string;
    readonly by: string;
    readonly overwrite?: string;
  },
): Promise<number> {
  const { path, device: named, by, overwrite } = asked;
  const device = /^\d+$/.test(named) ? Number(named) : named;
  return overwriting<unknown>(runtime, { device: by, overwrite }, (more) => ({
    act: () => api.replaceDevice({ path, device, by, ...more }),
    answer: (): Answer<BtrfsReplaced> => ({
      data: { path, device: named, by },
      lines: [`${printable(by)} has taken the place of ${printable(named)} in ${printable(path)}`],
    }),
  }));
}

/** `bofh btrfs device remove PATH DEVICE` */
export async function remove(
  runtime: Runtime,
  asked: { readonly path: string; readonly device: string },
): Promise<number> {
  return change(runtime, {
    act: () => api.removeDevice(asked),
    answer: (data): Answer<BtrfsDevice> => ({
      data,
      lines: [`${printable(asked.device)} is out of ${printable(asked.path)}, and blank`],
    }),
  });
}
