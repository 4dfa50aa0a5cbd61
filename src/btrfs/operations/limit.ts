import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { filesystemSync } from '../commands.ts';
import { anyRoot } from '../place.ts';
import { qgroupLimit, quotaOf } from '../quota.ts';
import {
  askedSubvolume,
  findKnown,
  knownClaims,
  type KnownSubvolume,
  knownSubvolume,
  subvolumeNamed,
} from './known-subvolume.ts';
import { syncFilesystem } from './new-subvolume.ts';
import { concurrentChange } from './concurrent-change.ts';

const what = z.enum(['referenced', 'exclusive']);
/** Limit in bytes; null: none. */
const limit = z.nullable(z.int().check(z.positive()));

const undo = z.extend(knownSubvolume, { what, limit, was: limit });

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.limitSubvolume`: limits how many bytes a subvolume may refer to, or use exclusively;
 * null removes the limit. Undo restores the old one.
 */
export const limitSubvolume = operation({
  kind: 'btrfs.qgroup.limit',
  version: 1,
  args: z.extend(askedSubvolume, {
    /**
     * `referenced`: all data that it refers to. `exclusive`: only data that no other subvolume has.
     */
    what,
    /** The limit in bytes; null removes it. */
    limit,
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { what: sort, limit: wanted, ...asked }, host }) => {
    const { known } = await subvolumeNamed(host, asked);
    const was = await limitOf(host, { ...known, what: sort });
    if (was === undefined) throw await noGroup(host, known);
    if (was === wanted)
      throw new RefusedError(`${asked.path} has that limit already`, {
        remedy: `there is nothing to do; see: bofh btrfs quota show ${known.mounted}`,
      });
    return { ...known, what: sort, limit: wanted, was };
  },
  claims: async ({ undo: of, on }) => {
    const { changes, needs } = await knownClaims(of, on);
    return { changes, needs: [...needs, `btrfs-quota:${of.fs}`] };
  },
  run: async ({ undo: of, host }) => {
    await change(host, of, { from: of.was, to: of.limit });
    return null;
  },
  value: ({ undo: { path, what: sort, limit: now, was } }) => ({ path, what: sort, limit: now, was }),
  look: async ({ undo: of, host }) => {
    const now = await limitNow(host, of);
    if (now === undefined || now === of.was) return { state: 'gone' };
    if (now === of.limit) return { state: 'ours' };
    return { state: 'not-ours', found: `the limit of ${of.path} is ${inWords(now)}` };
  },
  revert: async ({ undo: of, host }) => {
    if ((await limitNow(host, of)) === of.limit) await change(host, of, { from: of.limit, to: of.was });
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  describe: ({ undo: of }) => ({
    what: `the limit (${of.what}) of the subvolume ${of.path} (id ${of.id}, uuid ${of.uuid}): ${inWords(of.was)} before, ${inWords(of.limit)} now`,
    look: [['btrfs', 'qgroup', 'show', '--raw', '-re', of.mounted]],
    clear: [['btrfs', ...qgroupLimit({ ...of, path: of.mounted, limit: of.was }).argv]],
  }),
});

/** Returns the present limit; undefined if the subvolume or its quota group is gone, or quotas are off. */
async function limitNow(host: ReadHost, of: Undo): Promise<number | null | undefined> {
  return (await findKnown(host, of)) === undefined ? undefined : limitOf(host, of);
}

async function limitOf(
  host: ReadHost,
  { fs, id, what: sort }: Pick<Undo, 'fs' | 'id' | 'what'>,
): Promise<number | null | undefined> {
  const quota = await quotaOf(host, await anyRoot(host, fs));
  const group = quota.mode === 'off' ? undefined : quota.groups.find((each) => each.id === `0/${id}`);
  if (group === undefined) return undefined;
  return (sort === 'referenced' ? group.maxReferenced : group.maxExclusive) ?? null;
}

/** The error for a subvolume without a quota group. */
async function noGroup(host: ReadHost, { fs, id, path, mounted }: KnownSubvolume): Promise<RefusedError> {
  const { mode } = await quotaOf(host, await anyRoot(host, fs));
  return mode === 'off'
    ? new RefusedError(
        `quota accounting is disabled on the filesystem of ${path}, so it cannot have a limit`,
        {
          remedy: `enable it: bofh btrfs quota enable ${mounted}`,
        },
      )
    : new RefusedError(`${path} has no quota group 0/${id}, so it cannot have a limit`, {
        remedy: `create the group: btrfs qgroup create 0/${id} ${mounted}; then run the command again`,
      });
}

async function change(
  host: ChangeHost,
  of: Undo,
  { from, to }: { readonly from: number | null; readonly to: number | null },
): Promise<void> {
  const now = await limitNow(host, of);
  if (now !== from) throw concurrentChange(`the limit of ${of.path} is ${inWords(now)}`);
  const root = await anyRoot(host, of.fs);
  await host.run(qgroupLimit({ ...of, path: root, limit: to }));
  // The kernel does not commit the limit at once (fs/btrfs/ioctl.c).
  await host.run(filesystemSync(root));
  const after = await limitNow(host, of);
  if (after !== to)
    throw new RefusedError(`btrfs reported success, but the limit of ${of.path} is not ${inWords(to)}`, {
      remedy: `see it: btrfs qgroup show -re ${of.mounted}`,
    });
}

function inWords(bytes: number | null | undefined): string {
  return bytes === undefined || bytes === null ? 'none' : formatSize(bytes);
}
