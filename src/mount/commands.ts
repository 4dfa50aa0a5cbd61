import { type Answer, type Command, nothing } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';

/** A device, where to mount it, and how. */
export interface MountRequest {
  /** The device node. */
  readonly device: string;
  readonly path: string;
  readonly mode: 'ro' | 'rw';
  readonly type?: string | undefined;
  readonly options?: readonly string[] | undefined;
}

/**
 * `mount`: with both source and target it ignores fstab. A write-protected device is mounted
 * read-only, exit 0.
 */
export function mount({ device, path, mode, type, options }: MountRequest): Command<void, 'change'> {
  return {
    tool: 'mount',
    argv: [
      ...(type === undefined ? [] : ['--types', type]),
      '--options',
      [mode, ...(options ?? [])].join(','),
      '--source',
      device,
      '--target',
      path,
    ],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/**
 * `mount --bind` of a directory, read-only if requested: libmount binds the directory and then
 * makes it read-only in a second call (mount(8)). The options of the filesystem do not change.
 */
export function bindMount({
  source,
  path,
  mode,
  options,
}: Pick<MountRequest, 'path' | 'mode' | 'options'> & { readonly source: string }): Command<void, 'change'> {
  return mount({ device: source, path, mode, options: ['bind', ...(options ?? [])] });
}

/**
 * `umount` of the topmost mount at a path. Never lazy: a filesystem that is only hidden keeps its
 * device busy. The path is canonical, so that a symbolic link created meanwhile is not followed.
 */
export function umount(path: string): Command<void, 'change'> {
  return {
    tool: 'umount',
    argv: ['--no-canonicalize', path],
    access: 'change',
    repeatable: true,
    parse: nothing,
    classify,
  };
}

/**
 * Finds why mount or umount failed. Both exit with 32 for nearly everything (util-linux 2.38), so
 * the reason is only for messages and for retries.
 */
export function classify({ stderr }: Answer): Reason {
  if (/target is busy|already mounted|Device or resource busy/.test(stderr)) return 'busy';
  if (
    /not mounted|no mount point specified|mount point does not exist|special device .* does not exist|Can't lookup blockdev/.test(
      stderr,
    )
  )
    return 'not-found';
  if (/must be superuser|permission denied|write-protected|operation not permitted/i.test(stderr))
    return 'denied';
  return 'unknown';
}
