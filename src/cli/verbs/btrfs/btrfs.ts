import * as btrfs from '../../../btrfs/index.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { BtrfsList, BtrfsShow, BtrfsUsage } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs list PATH` */
export async function list(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const found = await btrfs.subvolumes(bofh.host, path);
  const standard = await btrfs.defaultSubvolume(bofh.host, path);
  const data: BtrfsList = found.map((row) => ({ ...identity(row), default: row.id === standard }));
  give(runtime, {
    data,
    head: ['ID', 'PATH', 'UUID', 'SNAPSHOT OF', 'RECEIVED', 'DEFAULT'],
    rows: data.map((row) => [
      String(row.id),
      printable(row.shown),
      row.uuid ?? '-',
      nameOf(found, row.parentUuid),
      row.receivedUuid === null ? 'no' : 'yes',
      row.default ? 'yes' : 'no',
    ]),
    none: 'there is no subvolume in this filesystem but its top level',
  });
  return 0;
}

/** `bofh btrfs show PATH` */
export async function show(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const found = await btrfs.subvolume(bofh.host, path);
  const data: BtrfsShow = {
    ...identity(found),
    made: found.made ?? null,
    mode: found.mode,
    generation: found.generation,
    snapshots: found.snapshots.map(({ shown }) => shown),
  };
  give(runtime, {
    data,
    lines: [
      `${printable(data.shown)}: id ${data.id}, uuid ${data.uuid ?? 'none'}, ${data.mode}`,
      ...(data.made === null ? [] : [`made ${data.made}`]),
      ...(data.parentUuid === null ? [] : [`a snapshot of ${data.parentUuid}`]),
      ...(data.receivedUuid === null ? [] : [`received as ${data.receivedUuid}`]),
      ...data.snapshots.map((one) => `its snapshot: ${printable(one)}`),
    ],
  });
  return 0;
}

/** `bofh btrfs usage PATH` */
export async function usage(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const found = await btrfs.usage(bofh.host, path);
  const data: BtrfsUsage = {
    ...found,
    spaces: found.spaces.map((one) => ({ ...one, devices: one.devices.map((share) => ({ ...share })) })),
    unallocatedOn: found.unallocatedOn.map((share) => ({ ...share })),
  };
  give(runtime, {
    data,
    lines: [
      `${formatSize(data.size)}, of it used ${formatSize(data.used)}; free ${formatSize(data.free)}, at least ${formatSize(data.freeAtLeast)}`,
      `no kind has ${formatSize(data.unallocated)} yet`,
      ...(data.missing === 0 ? [] : [`of devices that are missing: ${formatSize(data.missing)}`]),
      ...data.spaces.map(
        ({ kind, profile, size, used }) => `${kind} (${profile}): ${formatSize(used)} of ${formatSize(size)}`,
      ),
    ],
  });
  return 0;
}

function identity({ id, path, shown, uuid, parentUuid, receivedUuid }: btrfs.SubvolumeRow) {
  return {
    id,
    path: path ?? null,
    shown,
    uuid: uuid ?? null,
    parentUuid: parentUuid ?? null,
    receivedUuid: receivedUuid ?? null,
  };
}

function nameOf(all: readonly btrfs.SubvolumeRow[], uuid: string | null): string {
  if (uuid === null) return '-';
  const parent = all.find((row) => row.uuid === uuid);
  return parent === undefined ? uuid : printable(parent.shown);
}
