import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/**
 * Creates a thin pool, with zeroing of new blocks. Without a spare for its metadata: lvcreate would
 * create the spare first, without a tag, and a kill would leave it behind (2.03.16,
 * lib/metadata/pool_manip.c).
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

/** Creates a thin volume in a pool. It uses space only when it is written to. */
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
 * Extends a thin pool: its data, its metadata, or both, each in its own metadata commit. Neither
 * can shrink again. The spare of the group grows with the metadata; lvm creates it if it is missing
 * (2.03.16, _lvresize_volume). lvextend accepts no `--select`, so compare the uuid before and
 * after.
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
