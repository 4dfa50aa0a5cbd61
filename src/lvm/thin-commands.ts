import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/**
 * Makes a thin pool of data and metadata, which zeroes what it gives out. Without a spare for its metadata: lvcreate would
 * make that first, of no tag, and a kill would leave it behind (2.03.16, lib/metadata/pool_manip.c).
 */
export function lvcreatePool(
  make: Udev & {
    readonly vg: string;
    readonly name: string;
    readonly extents: number;
    readonly metadataSize: Bytes;
    readonly chunkSize: Bytes;
    readonly tags: readonly string[];
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const argv = [
    ...['--type', 'thin-pool', '--name', make.name, '--extents', String(make.extents)],
    ...['--poolmetadatasize', `${String(make.metadataSize)}b`, '--poolmetadataspare', 'n'],
    ...['--chunksize', `${String(make.chunkSize)}b`, '--zero', 'y', ...tags, make.vg],
  ];
  return change('lvcreate', argv, make);
}

/** Makes a volume of a virtual size in a thin pool: it takes room as it is written to. */
export function lvcreateThin(
  make: Udev & {
    readonly vg: string;
    readonly name: string;
    readonly pool: string;
    readonly size: Bytes;
    readonly tags: readonly string[];
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const argv = [
    ...['--type', 'thin', '--name', make.name, '--virtualsize', `${String(make.size)}b`],
    ...['--thinpool', make.pool, ...tags, make.vg],
  ];
  return change('lvcreate', argv, make);
}

/**
 * Makes a thin pool larger: its data, its metadata, or first the one and then the other, each in a commit of its own. Neither
 * can be made smaller again. Its metadata grow with the spare of the group, which is made where there is none (2.03.16,
 * _lvresize_volume). lvextend takes no `--select`: compare the uuid before and after.
 */
export function lvextendPool(
  pool: Udev & {
    readonly vg: string;
    readonly name: string;
    readonly extents: number | undefined;
    readonly metadataSize: Bytes | undefined;
  },
): Command<void, 'change'> {
  const data = pool.extents === undefined ? [] : ['--extents', String(pool.extents)];
  const metadata =
    pool.metadataSize === undefined ? [] : ['--poolmetadatasize', `${String(pool.metadataSize)}b`];
  return change('lvextend', [...data, ...metadata, `${pool.vg}/${pool.name}`], pool);
}
