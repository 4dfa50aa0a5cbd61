import * as z from 'zod/mini';
import { deferred, type Look, type Way } from '../../atomic/operation.ts';
import {
  contentInWords,
  holders,
  identityOf,
  locate,
  probe,
  recognise,
  refuseHeld,
  refuseUsers,
  type Signature,
  syncDevice,
  refuseWriteProtected,
} from '../../blockdevice/index.ts';
import { commandWords, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { asks, type Repairable, repairable, repairOf } from '../commands/repair.ts';
import { checkOf } from '../commands/check.ts';
import { examine, runRepair, refuseSound } from '../repairing.ts';

const args = z.strictObject({
  /** The device of the filesystem, which must not be mounted. */
  device: z.string().check(z.minLength(1)),
  /**
   * For ext2/3/4: also repairs what e2fsck would ask about. For xfs and vfat this is required,
   * because their programs never ask.
   */
  files: z.exactOptional(z.literal('may be lost')),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  key: z.string(),
  type: z.enum(repairable),
  /** null: the filesystem has no uuid. */
  uuid: z.nullable(z.string()),
  files: z.enum(['are kept', 'may be lost']),
});

export type RepairUndo = z.infer<typeof undo>;

/**
 * Repairs an unused filesystem with errors, after the commit, because a repair cannot be undone.
 * The journal is closed once a check finds the filesystem clean; until then the journal names the
 * errors that are left. An interrupted repair is run again.
 */
export const repair = deferred({
  kind: 'filesystem.repair',
  version: 1,
  args,
  undo,
  prepare: async ({ args: { device, files }, host, chosen }) => {
    const kept: RepairUndo['files'] = files ?? 'are kept';
    const { key, identity } = await identityOf(host, device);
    const { type, uuid } = repairableIn(device, await probe(host, device));
    await refuseHeld(host, device, await holders(host, device));
    await refuseWriteProtected(host, device);
    await refuseUsers(host, device);
    // A check takes long, so it is not repeated after the one in the first prepare.
    if (chosen === undefined) await refuseSound(host, device, type);
    if (kept === 'are kept' && !asks(type))
      throw new RefusedError(
        `a repair of ${type} does not ask before each change, so files on ${device} may be lost; nothing was done`,
        { remedy: `to accept that: ${option('--may-lose-files', "files: 'may be lost'")}` },
      );
    return { device, identity, key, type, uuid, files: kept };
  },
  claims: async ({ undo: { device, uuid }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [...(uuid === null ? [] : [`fs:${uuid}`]), key], needs: beneath };
  },
  look: ({ undo: of, host }) => look(host, of),
  afterCommit: async ({ undo: of, host }) => {
    const path = await locate(host, { path: of.device, identity: of.identity });
    if (path !== undefined) await runRepair(host, path, of);
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: of, way }) => repairedRecovery(of, way),
});

function repairableIn(
  device: string,
  found: Signature | undefined,
): { readonly type: Repairable; readonly uuid: string | null } {
  const type = repairable.find((each) => each === found?.type);
  if (type !== undefined) return { type, uuid: found?.uuid ?? null };
  if (found?.type === 'btrfs')
    throw new RefusedError(
      `${device} holds a btrfs, and according to btrfs-check(8) "btrfs check --repair" is dangerous; nothing was done`,
      {
        remedy: `mount it and repair it from its other copies: mount ${device} /mnt; bofh btrfs scrub start /mnt; or, if it cannot be mounted: mount -o ro,rescue=all ${device} /mnt; then copy what you need from /mnt`,
      },
    );
  if (found?.type === 'swap')
    throw new RefusedError(`${device} holds a swap area, in which there is nothing to repair`, {
      remedy: `create it again: bofh filesystem create ${device} --type swap --overwrite ${found.uuid ?? 'swap'}`,
    });
  throw new RefusedError(`${device} holds ${contentInWords(found)}, which bofh cannot repair`, {
    remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
  });
}

/**
 * Whether the filesystem must still be repaired. Unknown while it is in use: the act then names the
 * holder.
 */
async function look(host: ReadHost, of: RepairUndo): Promise<Look> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { state: 'not-ours', found: `${of.device} is gone` };
  const found = await recognise(host, path);
  // A device with only I/O errors looks blank too.
  if (found === undefined) await probe(host, path);
  if (found?.type !== of.type || (found.uuid ?? null) !== of.uuid)
    return { state: 'not-ours', found: `${path} holds ${contentInWords(found)}` };
  const who = await holders(host, path);
  if (who.length > 0) return { state: 'ours', holders: who };
  return { state: (await examine(host, path, of.type)).state === 'clean' ? 'gone' : 'ours' };
}

/** Manual recovery: shows what is wrong with a filesystem, and repairs it. */
function repairedRecovery({ device, type, uuid, files }: RepairUndo, way: Way): ManualRecovery {
  const by = commandWords(repairOf(type, device, files === 'may be lost' ? 'yes' : 'safe'));
  return {
    what: `the ${type} of UUID ${uuid ?? '(none)'} on ${device}, which will be repaired`,
    look: [commandWords(checkOf(type, device))],
    // Before the commit nothing was changed.
    clear: way === 'back' ? [] : [by],
  };
}
