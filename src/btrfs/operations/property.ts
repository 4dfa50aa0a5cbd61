import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { type ChangeHost, inShell } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { setReadOnly } from '../commands.ts';
import { reach } from '../place.ts';
import { called, subvolumeAt } from '../reads.ts';
import type { Subvolume } from '../schema.ts';
import {
  askedSubvolume,
  findKnown,
  knownClaims,
  knownSubvolume,
  stillKnown,
  subvolumeNamed,
} from './known-subvolume.ts';
import { syncFilesystem } from './new-subvolume.ts';
import { concurrentChange } from './concurrent-change.ts';
import { option } from '../../core/option.ts';

const mode = z.enum(['ro', 'rw']);

const undo = z.extend(knownSubvolume, { was: mode, mode });

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.setProperty`: makes a subvolume read-only or writable. A received subvolume is never
 * made writable, because it would lose the uuid by which the next incremental stream finds it. Undo
 * restores the old value.
 */
export const setProperty = operation({
  kind: 'btrfs.property.set',
  version: 1,
  args: z.extend(askedSubvolume, {
    /** `ro`: read-only. */
    mode,
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { mode: wanted, ...asked }, host }) => {
    const { subvolume, known } = await subvolumeNamed(host, asked);
    if (subvolume.mode === wanted)
      throw new RefusedError(`${called(subvolume)} is ${wanted} already`, {
        remedy: `there is nothing to do; see: bofh btrfs show ${asked.path}`,
      });
    refuseReceived(subvolume, wanted, asked.path);
    return { ...known, was: subvolume.mode, mode: wanted };
  },
  claims: ({ undo: of, on }) => knownClaims(of, on),
  run: async ({ undo: of, host }) => {
    const subvolume = await stillKnown(host, of);
    refuseReceived(subvolume, of.mode, of.path);
    if (subvolume.mode !== of.was) throw concurrentChange(`${called(subvolume)} is ${subvolume.mode}`);
    await set(host, of, of.mode);
    return null;
  },
  value: ({ undo: { path, mode: now, was } }) => ({ path, mode: now, was }),
  look: async ({ undo: of, host }) => {
    const subvolume = await findKnown(host, of);
    return { state: subvolume === undefined || subvolume.mode === of.was ? 'gone' : 'ours' };
  },
  revert: async ({ undo: of, host }) => {
    const subvolume = await findKnown(host, of);
    if (subvolume === undefined) return;
    refuseReceived(subvolume, of.was, of.path);
    await set(host, of, of.was);
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  describe: ({ undo: of }) => ({
    what: `the property ro of the subvolume ${of.path} (id ${of.id}, uuid ${of.uuid}): ${of.was} before, ${of.mode} now`,
    look: [['btrfs', 'subvolume', 'show', '--rootid', String(of.id), of.mounted]],
    clear: [['btrfs', 'property', 'set', '-t', 'subvol', of.path, 'ro', of.was === 'ro' ? 'true' : 'false']],
  }),
});

function refuseReceived(subvolume: Subvolume, wanted: 'ro' | 'rw', path: string): void {
  if (wanted === 'ro' || subvolume.mode === 'rw' || subvolume.receivedUuid === undefined) return;
  throw new RefusedError(
    `${called(subvolume)} was received: if it becomes writable, it can no longer be the parent of an incremental stream`,
    {
      remedy: `take a writable snapshot of it: ${option(`bofh btrfs snapshot create ${inShell(path)} SNAPSHOT --rw`, "btrfs.snapshot with mode: 'rw'")}`,
    },
  );
}

/**
 * Sets the property. btrfs cannot set it by id, so this checks the subvolume at the path
 * immediately before and after.
 */
async function set(host: ChangeHost, of: Undo, wanted: 'ro' | 'rw'): Promise<void> {
  const now = await stillKnown(host, of);
  if (now.mode === wanted) return;
  const path = await reach(host, { fs: of.fs, inside: `/${now.path ?? ''}` });
  if ((await subvolumeAt(host, path))?.id !== of.id)
    throw new RefusedError(`another subvolume is at ${path} now; nothing was done`, {
      remedy: `see it: bofh btrfs show ${inShell(path)}; then run the command again`,
    });
  await host.run(setReadOnly(path, wanted));
  const after = await stillKnown(host, of);
  if (after.mode !== wanted)
    throw new RefusedError(`btrfs did not make ${called(after)} ${wanted}`, {
      remedy: `look at it: btrfs subvolume show ${path}`,
    });
}
