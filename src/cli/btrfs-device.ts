import * as api from '../api/btrfs.ts';
import { withBofh } from '../bofh.ts';
import * as btrfs from '../btrfs/index.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { BtrfsDevice, BtrfsDevices, BtrfsReplaced } from './answers/index.ts';
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
  {
    path,
    device,
    overwrite,
  }: { readonly path: string; readonly device: string; readonly overwrite?: string },
): Promise<number> {
  return overwriting<BtrfsDevice, BtrfsDevice>(runtime, { device, overwrite }, (more) => ({
    act: () => api.addDevice({ path, device, ...more() }),
    data: (made) => made,
    lines: ({ devid }) => [`${printable(device)} is the device ${devid} of ${printable(path)} now`],
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
  return overwriting(runtime, { device: by, overwrite }, (more) => ({
    act: () => api.replaceDevice({ path, device, by, ...more() }),
    data: (): BtrfsReplaced => ({ path, device: named, by }),
    lines: () => [`${printable(by)} has taken the place of ${printable(named)} in ${printable(path)}`],
  }));
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

type Overwrite = Awaited<ReturnType<typeof overwriteOf>>;

/** A verb with a device of which something may be lost, once that is named and confirmed. */
export async function overwriting<V, D>(
  runtime: Runtime,
  { device, overwrite: named }: { readonly device: string; readonly overwrite: string | undefined },
  verb: (more: () => { readonly overwrite?: Overwrite }) => {
    readonly act: () => Promise<V>;
    readonly data: (value: V) => D;
    readonly lines: (data: D) => readonly string[];
  },
): Promise<number> {
  let overwrite: Overwrite | undefined;
  return changed(runtime, {
    before: async (bofh) => {
      if (named === undefined) return;
      overwrite = await untilInterrupted(
        runtime,
        withBofh(bofh, () => overwriteOf(device, named)),
      );
      if (runtime.settings.mode === 'plan') return;
      await confirm(runtime, [
        `${printable(device)} is overwritten, and what is on it now cannot be brought back: ${overwrite.uuid ?? overwrite.type ?? ''}`,
      ]);
    },
    ...verb(() => (overwrite === undefined ? {} : { overwrite })),
  });
}
