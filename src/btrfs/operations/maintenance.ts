import * as z from 'zod/mini';
import type { Claims, DeviceKeys, Look } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { anyRoot, placeOf } from '../place.ts';
import { uuid } from '../schema.ts';

/**
 * Undo of maintenance of a whole filesystem, which has no inverse: the step only creates a file on
 * /run, which shows that it has begun.
 */
export const maintainedUndo = z.strictObject({
  fs: uuid,
  /** A mounted device of the filesystem. */
  device: z.string(),
  /** Mount point of the filesystem. Only shown. */
  mounted: z.string(),
  note: z.string(),
});

export type MaintainedUndo = z.infer<typeof maintainedUndo>;

export async function planMaintained(host: ReadHost, path: string, mark: string): Promise<MaintainedUndo> {
  const { fs, mount } = await placeOf(host, path);
  return { fs, device: mount.source, mounted: mount.path, note: noteOf(mark) };
}

/**
 * Claims: two runs of a kind on one filesystem exclude each other; the filesystem and everything
 * beneath must stay.
 */
export async function maintainedClaims(
  sort: 'scrub' | 'balance',
  of: MaintainedUndo,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Claims> {
  const { key, beneath } = await on(of.device);
  return { changes: [`btrfs-${sort}:${of.fs}`], needs: [...new Set([`fs:${of.fs}`, key, ...beneath])] };
}

export async function maintain<T>(
  host: ChangeHost,
  of: MaintainedUndo,
  act: (root: string) => Promise<T>,
): Promise<T> {
  const root = await anyRoot(host, of.fs);
  await writeNote(host, of.note);
  return act(root);
}

export async function lookMaintained(host: ReadHost, { note }: MaintainedUndo): Promise<Look> {
  return { state: (await host.stat(note)) === undefined ? 'gone' : 'ours' };
}

export async function revertMaintained(host: ChangeHost, { note }: MaintainedUndo): Promise<void> {
  await removeNote(host, note);
}
