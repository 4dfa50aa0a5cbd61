import { recognise, refuseUsers } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { btrfsSuperblock } from './commands/btrfs.ts';
import { dumpe2fs } from './commands/ext.ts';
import {
  btrfsChanging,
  dropLog,
  keepSeed,
  setUuid,
  xfsLog,
  xfsLogBegins,
  xfsState,
} from './commands/uuid.ts';
import type { Makeable } from './types.ts';

/** A filesystem whose uuid will be changed, or has been. */
export interface UuidChange {
  readonly type: Makeable;
  readonly from: string;
  readonly to: string;
  /**
   * For ext4: whether to enable metadata_csum_seed first. Without this feature the checksums of the
   * filesystem depend on the uuid.
   */
  readonly seed: 'added' | 'as it is';
}

/**
 * Whether the old uuid can be restored, no matter when the program was killed. For xfs and btrfs
 * the change can only be rolled forward (ADR 15).
 */
export function hasUndo(type: Makeable): boolean {
  return type !== 'xfs' && type !== 'btrfs';
}

/**
 * RefusedError if the uuid cannot be changed, or an interrupted change would damage the filesystem.
 */
export async function checkUuidChange(
  host: ReadHost,
  {
    device,
    type,
    seed,
  }: { readonly device: string; readonly type: Makeable; readonly seed: 'may be added' | 'as it is' },
): Promise<UuidChange['seed']> {
  if (type === 'xfs') await refuseXfs(host, device);
  if (type === 'btrfs') await refuseBtrfs(host, device);
  return type === 'ext2' || type === 'ext3' || type === 'ext4' ? refuseExt(host, device, seed) : 'as it is';
}

async function refuseExt(
  host: ReadHost,
  device: string,
  seed: 'may be added' | 'as it is',
): Promise<UuidChange['seed']> {
  const { features, state } = await host.run(dumpe2fs(device));
  const has = (name: string): boolean => features.includes(name);
  if (state !== 'clean' || has('needs_recovery')) {
    await refuseUsers(host, device);
    throw new RefusedError(`the filesystem on ${device} is not clean: its uuid is not changed`, {
      remedy: `bofh filesystem check ${device} --repair; then run the command again`,
    });
  }
  if (has('uninit_bg') && !has('metadata_csum'))
    throw new RefusedError(
      `${device}: the checksums of its block groups depend on the uuid; an interrupted change would leave wrong checksums`,
      {
        remedy: `change it without an undo, and do not interrupt these commands: e2fsck -f ${device}; tune2fs -U random ${device}; e2fsck -f ${device}`,
      },
    );
  if (!has('metadata_csum') || has('metadata_csum_seed')) return 'as it is';
  if (seed === 'may be added') return 'added';
  throw new RefusedError(
    `${device}: the checksums of this ext4 depend on its uuid; with another uuid they stay valid only with the feature metadata_csum_seed, which Linux before 4.4 and GRUB before 2.12 (except that of Debian 12) cannot read`,
    {
      remedy: `if no GRUB or Linux of these versions has to read it: ${option('--add-seed', "seed: 'may be added'")}`,
    },
  );
}

async function refuseXfs(host: ReadHost, device: string): Promise<void> {
  const log = await host.run(xfsLog(device));
  if (log === 'unreadable' || log.state === 'dirty') await refuseUsers(host, device);
  if (log !== 'unreadable' && log.state === 'dirty')
    throw new RefusedError(
      `${device}: the log of the xfs has changes that are not written yet, so its uuid is not changed`,
      {
        remedy: `write them: mount -o nouuid ${device} /mnt; umount /mnt; then run the command again`,
      },
    );
  const { agrees, needsRepair } = await host.run(xfsState(device));
  if (log === 'unreadable' || needsRepair || !agrees)
    throw new RefusedError(`the xfs on ${device} has errors: its uuid is not changed`, {
      remedy: `bofh filesystem check ${device}; xfs_repair ${device}; then run the command again`,
    });
}

async function refuseBtrfs(host: ReadHost, device: string): Promise<void> {
  const { devices } = await host.run(btrfsSuperblock(device));
  if (devices !== 1)
    throw new RefusedError(
      `the btrfs on ${device} has ${String(devices)} devices: bofh changes the uuid only of a btrfs on one device`,
      {
        remedy: `to change it without an undo: btrfstune -u ${device}`,
      },
    );
  if (await host.run(btrfsChanging(device)))
    throw new RefusedError(`a change of the uuid of the btrfs on ${device} was interrupted`, {
      remedy: `finish it first, with the intended uuid: btrfstune -U UUID ${device}`,
    });
}

/**
 * Which uuid the filesystem has; `between`: a change was interrupted; `found`: it has other
 * content.
 */
export type UuidState = 'old' | 'new' | 'between' | { readonly found: string };

/** Returns which of the two uuids a filesystem has. */
export async function uuidState(
  host: ReadHost,
  device: string,
  uuid: string | undefined,
  { type, from, to, seed }: UuidChange,
): Promise<UuidState> {
  if (uuid !== from && uuid !== to)
    return { found: `${device} ${uuid === undefined ? 'has no uuid' : `has the uuid ${uuid}`}` };
  const is = uuid === to ? 'new' : 'old';
  if (type === 'btrfs') return (await host.run(btrfsChanging(device))) ? 'between' : is;
  if (type === 'xfs') return is === 'new' && !(await host.run(xfsState(device))).agrees ? 'between' : is;
  if (seed === 'added' && is === 'old')
    return (await host.run(dumpe2fs(device))).features.includes('metadata_csum_seed') ? 'between' : 'old';
  return is;
}

/**
 * Sets the new uuid, or the old one again. Can be repeated, and completes an interrupted change.
 */
export async function changeUuid(
  host: ChangeHost,
  device: string,
  { type, from, to, seed }: UuidChange,
  way: 'forth' | 'back',
): Promise<void> {
  if (type === 'xfs') await mendLog(host, device);
  if (seed === 'added' && way === 'forth') await host.run(keepSeed(device, 'keep'));
  const uuid = way === 'forth' ? to : from;
  await host.run(setUuid({ type, device, uuid }));
  if (seed === 'added' && way === 'back') await host.run(keepSeed(device, 'drop'));
  const now = (await recognise(host, device))?.uuid;
  if (now === uuid) return;
  throw new RefusedError(
    `${device} ${now === undefined ? 'has no uuid' : `has the uuid ${now}`}; expected ${uuid}`,
    {
      remedy:
        type === 'xfs'
          ? `if its log holds changes: mount -o nouuid ${device} /mnt; umount /mnt; then: bofh recover`
          : `look at it: blkid -p ${device}; then: bofh recover`,
    },
  );
}

/**
 * Writes a new log if an interrupted xfs_db (xfsprogs 6.1) has damaged it. xfs_db clears the log
 * first, sector by sector; if it is killed meanwhile, the start or the end of the log is missing,
 * and neither xfs_db nor the kernel accepts the log. No change is lost, because the log was clean
 * when the step was prepared. If `dropLog` was killed, the filesystem has the flag needsrepair.
 */
async function mendLog(host: ChangeHost, device: string): Promise<void> {
  const log = await host.run(xfsLog(device));
  if (log !== 'unreadable' && log.state === 'dirty') return;
  const begins = log !== 'unreadable' && (await host.run(xfsLogBegins(device, log.start)));
  if (begins && !(await host.run(xfsState(device))).needsRepair) return;
  await host.run(dropLog(device));
}
