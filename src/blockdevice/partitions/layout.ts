import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import type { PartitionTable } from './commands.ts';

/** Alignment of partitions: the default of every current tool, and fast on every disk. */
export const grain: Bytes = 1024 ** 2;

interface Room {
  readonly from: Bytes;
  readonly to: Bytes;
}

/**
 * Returns the space for partitions in a table of a device of this size; for gpt also if the device
 * has grown since.
 */
function usable({ type, sectorSize }: PartitionTable, size: Bytes): Room {
  const behind = type === 'gpt' ? 128 * 128 + sectorSize : 0;
  // A dos table counts sectors with 32 bits.
  const most = type === 'gpt' ? size - behind : Math.min(size, 2 ** 32 * sectorSize);
  return { from: grain, to: Math.floor(most / grain) * grain };
}

/** Returns the runs of free space, in whole MiB. */
export function freeRooms(table: PartitionTable, size: Bytes): readonly Room[] {
  const { from, to } = usable(table, size);
  const rooms: Room[] = [];
  let at = from;
  for (const { start, size: length } of table.partitions.toSorted((one, other) => one.start - other.start)) {
    const end = Math.floor(Math.min(start, to) / grain) * grain;
    if (end > at) rooms.push({ from: at, to: end });
    at = Math.max(at, Math.ceil((start + length) / grain) * grain);
  }
  if (to > at) rooms.push({ from: at, to });
  return rooms;
}

/**
 * Returns the position of a new partition: the requested one, or the first run that is large
 * enough; `max`: the largest run.
 */
export function placeFor(
  table: PartitionTable,
  of: { readonly device: string; readonly room: Bytes; readonly size: Bytes | 'max' },
): { readonly start: Bytes; readonly size: Bytes } {
  const rooms = freeRooms(table, of.room);
  const length = ({ from, to }: Room): Bytes => to - from;
  const largest = rooms.reduce((most, each) => Math.max(most, length(each)), 0);
  const size = of.size === 'max' ? largest : Math.ceil(of.size / grain) * grain;
  const place = rooms.find((each) => length(each) >= size);
  if (place !== undefined && size > 0) return { start: place.from, size };
  throw new RefusedError(
    `${of.device} has no space for a partition of ${formatSize(size)}: its largest free area has ${formatSize(largest)}`,
    { code: 'no-space', remedy: 'use a smaller size, or another disk' },
  );
}

/** Returns the maximum size of a partition at its position. */
export function mostOf(table: PartitionTable, number: number, size: Bytes): Bytes {
  const { to } = usable(table, size);
  const own = table.partitions.find((each) => each.number === number);
  if (own === undefined) return 0;
  const next = table.partitions.filter(({ start }) => start > own.start).map(({ start }) => start);
  return Math.max(own.size, Math.floor(Math.min(to, ...next) / grain) * grain - own.start);
}
