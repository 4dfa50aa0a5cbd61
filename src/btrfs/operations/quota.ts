import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { kernelText } from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { filesystemSync } from '../commands.ts';
import { anyRoot, placeOf } from '../place.ts';
import { type Quota, quotaOf, quotaSet } from '../quota.ts';
import { uuid } from '../schema.ts';
import { syncFilesystem } from './new-subvolume.ts';
import { concurrentChange } from './concurrent-change.ts';

const mode = z.enum(['on', 'off']);

const undo = z.strictObject({
  fs: uuid,
  /** A mounted device of the filesystem. */
  device: z.string(),
  /** Mount point of the filesystem. Only shown. */
  mounted: z.string(),
  mode,
});

/**
 * `tx.btrfs.setQuota`: enables or disables quotas. Disabling is refused while there are limits, or
 * groups that an administrator created, because btrfs would lose them; also for simple quotas
 * (`btrfs quota enable --simple`), which do not count again what was written before. Undo restores
 * the old state; the kernel then counts again.
 */
export const setQuota = operation({
  kind: 'btrfs.quota.set',
  version: 1,
  args: z.strictObject({
    /** Any path on the mounted filesystem, absolute. */
    path: z.string(),
    /** `on`: btrfs counts the space of each subvolume. */
    mode,
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, mode: wanted }, host }) => {
    const { fs, mount } = await placeOf(host, path);
    const now = await quotaOf(host, mount.path);
    if (now.mode === wanted)
      throw new RefusedError(`quota accounting is ${inWords[wanted]} already on ${mount.path}`, {
        remedy: `there is nothing to do; see: bofh btrfs quota show ${inShell(mount.path)}`,
      });
    await refuseSimple(host, { fs, path: mount.path, now });
    refuseLimits(mount.path, now);
    return { fs, device: mount.source, mounted: mount.path, mode: wanted };
  },
  claims: async ({ undo: of, on }) => {
    const { key, beneath } = await on(of.device);
    return { changes: [`btrfs-quota:${of.fs}`], needs: [...new Set([`fs:${of.fs}`, key, ...beneath])] };
  },
  run: async ({ undo: of, host }) => {
    const root = await anyRoot(host, of.fs);
    const now = await quotaOf(host, root);
    if (now.mode === of.mode) throw concurrentChange(`quota accounting on ${root} is ${inWords[now.mode]}`);
    await refuseSimple(host, { fs: of.fs, path: root, now });
    await set(host, { root, now, wanted: of.mode });
    return null;
  },
  value: ({ undo: { fs, mode: now } }) => ({ filesystem: fs, mode: now }),
  look: async ({ undo: of, host }) => {
    const now = await quotaOf(host, await anyRoot(host, of.fs));
    if (now.mode !== of.mode) return { state: 'gone' };
    if (now.mode === 'on' && (await isSimple(host, of.fs)))
      return { state: 'not-ours', found: `${of.mounted} has simple quotas now` };
    return { state: 'ours' };
  },
  revert: async ({ undo: of, host }) => {
    const root = await anyRoot(host, of.fs);
    const now = await quotaOf(host, root);
    if (now.mode !== of.mode || (now.mode === 'on' && (await isSimple(host, of.fs)))) return;
    await set(host, { root, now, wanted: of.mode === 'on' ? 'off' : 'on' });
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  describe: ({ undo: of }) => ({
    what: `the quota accounting of the btrfs ${of.fs} on ${of.mounted}, which is ${inWords[of.mode]} now`,
    look: [['btrfs', 'qgroup', 'show', '-re', of.mounted]],
    clear: [['btrfs', 'quota', of.mode === 'on' ? 'disable' : 'enable', of.mounted]],
  }),
});

/** The words of btrfs-quota(8). */
const inWords = { on: 'enabled', off: 'disabled' } as const;

async function set(
  host: ChangeHost,
  { root, now, wanted }: { readonly root: string; readonly now: Quota; readonly wanted: Quota['mode'] },
): Promise<void> {
  refuseLimits(root, now);
  await host.run(quotaSet(root, wanted));
  await host.run(filesystemSync(root));
  if ((await quotaOf(host, root)).mode !== wanted)
    throw new RefusedError(
      `btrfs reported success, but quota accounting on ${root} is not ${inWords[wanted]}`,
      {
        remedy: `see its state: btrfs qgroup show ${root}`,
      },
    );
}

/** Whether its quotas are simple ones. Linux before 6.7 has no such file. */
async function isSimple(host: ReadHost, fs: string): Promise<boolean> {
  return (await kernelText(host, `/sys/fs/btrfs/${fs}/qgroups/mode`)) === 'squota';
}

async function refuseSimple(
  host: ReadHost,
  { fs, path, now }: { readonly fs: string; readonly path: string; readonly now: Quota },
): Promise<void> {
  if (now.mode === 'off' || !(await isSimple(host, fs))) return;
  throw new RefusedError(
    `${path} has simple quotas, and disabling them cannot be undone: if they are enabled again, they do not count existing data`,
    { remedy: `disable them yourself: btrfs quota disable ${inShell(path)}` },
  );
}

function refuseLimits(path: string, quota: Quota): void {
  if (quota.mode === 'off') return;
  const kept = quota.groups.filter(
    ({ id, maxReferenced, maxExclusive }) =>
      !id.startsWith('0/') || maxReferenced !== undefined || maxExclusive !== undefined,
  );
  if (kept.length === 0) return;
  const own = kept.filter(({ id }) => id.startsWith('0/'));
  const remedies = [
    ...(own.some((each) => each.maxReferenced !== undefined)
      ? ['bofh btrfs quota limit SUBVOLUME none']
      : []),
    ...(own.some((each) => each.maxExclusive !== undefined)
      ? ['bofh btrfs quota limit SUBVOLUME none --exclusive']
      : []),
    ...(own.length < kept.length ? [`btrfs qgroup destroy QGROUP ${path}`] : []),
  ];
  throw new RefusedError(
    `limits or quota groups on ${path} would be lost: ${kept.map(({ id }) => id).join(', ')}`,
    {
      remedy: `see them: bofh btrfs quota show ${inShell(path)}; then remove them: ${remedies.join('; ')}`,
    },
  );
}
