import * as api from '../api/btrfs.ts';
import { withBofh } from '../bofh.ts';
import * as btrfs from '../btrfs/index.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { BtrfsDevice, BtrfsDevices } from './answers/index.ts';
import { changed } from './btrfs-change.ts';
import { confirm } from './confirm.ts';
import { overwriteOf } from './filesystem-create.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { printable } from './text.ts';

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
  asked: { readonly path: string; readonly device: string; readonly overwrite?: string },
): Promise<number> {
  const { path, device, overwrite: named } = asked;
  let more: { readonly overwrite?: Awaited<ReturnType<typeof overwriteOf>> } = {};
  return changed(runtime, {
    before: async (bofh) => {
      if (named === undefined) return;
      const overwrite = await untilInterrupted(
        runtime,
        withBofh(bofh, () => overwriteOf(device, named)),
      );
      more = { overwrite };
      if (runtime.settings.mode === 'plan') return;
      await confirm(runtime, [
        `${printable(device)} is overwritten, and what is on it now cannot be brought back: ${overwrite.uuid ?? overwrite.type ?? ''}`,
      ]);
    },
    act: () => api.addDevice({ path, device, ...more }),
    data: (made): BtrfsDevice => made,
    lines: ({ devid }) => [`${printable(device)} is the device ${devid} of ${printable(path)} now`],
  });
}

/** `bofh btrfs device remove PATH DEVICE` */
export async function remove(
  runtime: Runtime,
  asked: { readonly path: string; readonly device: string },
): Promise<number> {
  return changed(runtime, {
    act: () => api.removeDevice(asked),
    data: (gone): BtrfsDevice => gone,
    lines: () => [`${printable(asked.device)} is out of ${printable(asked.path)}, and blank`],
  });
}
