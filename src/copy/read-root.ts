import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { debugfsEntries, debugfsFeatures, debugfsText } from '../filesystem/index.ts';

/** Content of the root of a system that is not mounted. */
export interface RootContent {
  /** Paths in the requested directories: `etc/hostname`. */
  readonly paths: ReadonlySet<string>;
  /** Content of those requested files that exist and are regular, one character per byte. */
  readonly texts: ReadonlyMap<string, string>;
}

/** The files that are asked for: a name, or with `*` at its end each of these paths that begins so. */
export function matching(files: readonly string[], paths: Iterable<string>): readonly string[] {
  const all = [...paths];
  return files.flatMap((file) =>
    all.filter((path) => (file.endsWith('*') ? path.startsWith(file.slice(0, -1)) : path === file)),
  );
}

/**
 * Reads an ext2, ext3 or ext4 that is not mounted, on a device or in a raw image. RefusedError if
 * it was not unmounted cleanly, because a part of it is then only in its journal.
 */
export async function readRoot(
  host: ReadHost,
  of: { readonly device: string; readonly directories: readonly string[]; readonly files: readonly string[] },
): Promise<RootContent> {
  const { device, directories, files } = of;
  if ((await host.run(debugfsFeatures(device))).includes('needs_recovery'))
    throw new RefusedError(`the filesystem on ${device} was not unmounted cleanly`, {
      remedy: `start its guest and shut it down; or e2fsck -p ${device}`,
    });
  const paths = new Set<string>();
  const texts = new Map<string, string>();
  for (const directory of directories)
    for (const { name, kind } of (await host.run(debugfsEntries(device, `/${directory}`))) ?? []) {
      const path = posix.join(directory, name);
      paths.add(path);
      if (kind === 'file' && matching(files, [path]).length > 0)
        texts.set(path, await host.run(debugfsText(device, `/${path}`)));
    }
  return { paths, texts };
}
