import * as z from 'zod/mini';
import type { Claims, DeviceKeys } from '../../atomic/operation.ts';
import { inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { keysAround, nameSubvolume, type Place, placeOf, subvolumeKey } from '../place.ts';
import { called, refuseTopLevel, subvolumeAt, subvolumeById } from '../reads.ts';
import { type Subvolume, uuid } from '../schema.ts';

/** An existing subvolume, as a caller names it. */
export const askedSubvolume = z.strictObject({
  /** Absolute path of the subvolume. */
  path: z.string(),
  /** UUID of the subvolume. Refused if the path has another one now. */
  uuid: z.exactOptional(uuid),
});

/** A subvolume as journalled: by its filesystem and id, which is never reused, and its uuid. */
export const knownSubvolume = z.strictObject({
  fs: uuid,
  /** A mounted device of the filesystem. */
  device: z.string(),
  id: z.int(),
  uuid,
  /** Path from the top level. */
  inside: z.string(),
  /** Its path on the host, and a mount of the filesystem. Only shown. */
  path: z.string(),
  mounted: z.string(),
});

export type KnownSubvolume = z.infer<typeof knownSubvolume>;

/**
 * Returns the subvolume at a path, checked by uuid if given. RefusedError if it is missing, another
 * one, or the top level.
 */
export async function subvolumeNamed(
  host: ReadHost,
  { path, uuid: expected }: z.infer<typeof askedSubvolume>,
): Promise<{ readonly place: Place; readonly subvolume: Subvolume; readonly known: KnownSubvolume }> {
  const place = await placeOf(host, path, nameSubvolume);
  const subvolume = await subvolumeAt(host, place.path);
  if (subvolume === undefined)
    throw new RefusedError(`${path} is not a subvolume`, {
      remedy: `the subvolumes of its filesystem: bofh btrfs list ${place.mount.path}`,
    });
  refuseTopLevel(subvolume, path);
  const { uuid } = identified(subvolume, { path, expected });
  const { fs, inside, mount } = place;
  const known = { fs, device: mount.source, id: subvolume.id, uuid, inside };
  return { place, subvolume, known: { ...known, path: place.path, mounted: mount.path } };
}

/** Returns a subvolume with its uuid. RefusedError if it has none, or not the expected one. */
export function identified(
  found: Subvolume,
  { path, expected }: { readonly path: string; readonly expected: string | undefined },
): Subvolume & { readonly uuid: string } {
  const { uuid } = found;
  if (uuid === undefined)
    throw new RefusedError(`${called(found)} has no uuid: a kernel older than 3.6 created it`, {
      remedy: 'create a snapshot of it by hand, and name that snapshot',
    });
  if (expected !== undefined && uuid !== expected)
    throw new RefusedError(`another subvolume is at ${path} now: its uuid is ${uuid}, not ${expected}`, {
      remedy: `look at it: bofh btrfs show ${inShell(path)}; then name the right one`,
    });
  return { ...found, uuid };
}

/**
 * Returns the subvolume, wherever it is now; undefined if it is gone. After a power cut another one
 * may have its id.
 */
export async function findKnown(host: ReadHost, of: KnownSubvolume): Promise<Subvolume | undefined> {
  const found = await subvolumeById(host, of);
  return found?.uuid === of.uuid ? found : undefined;
}

/** Like `findKnown`, for a subvolume that must exist. */
export async function stillKnown(host: ReadHost, of: KnownSubvolume): Promise<Subvolume> {
  const found = await findKnown(host, of);
  if (found !== undefined) return found;
  throw new RefusedError(`the subvolume ${of.path} (id ${of.id}, uuid ${of.uuid}) is gone`, {
    remedy: `another process deleted it; see what is left: bofh btrfs list ${of.mounted}`,
  });
}

/** Claims: changes the subvolume, and needs the filesystem and everything above it. */
export async function knownClaims(
  of: KnownSubvolume,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Required<Pick<Claims, 'changes' | 'needs'>>> {
  const { key, beneath } = await on(of.device);
  return {
    changes: [subvolumeKey(of)],
    needs: [...new Set([...keysAround(of), key, ...beneath])],
  };
}
