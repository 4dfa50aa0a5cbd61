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
} from '../../blockdevice/index.ts';
import { commandWords, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError } from '../../core/errors.ts';
import { asks, type Repairable, repairable, repairOf } from '../commands/repair.ts';
import { checkOf } from '../commands/check.ts';
import { examine, mend, refuseSound } from '../repairing.ts';

const args = z.strictObject({
  device: z.string().check(z.minLength(1)),
  /** Of an ext2/3/4: also what its program would ask a person about is mended. The programs of xfs and vfat ask nobody: they are refused without it. */
  files: z.exactOptional(z.literal('may be lost')),
});

const undo = z.strictObject({
  device: z.string(),
  /** Which device it was, whatever bears its path later. */
  identity: z.string(),
  key: z.string(),
  type: z.enum(repairable),
  /** null: it has none. */
  uuid: z.nullable(z.string()),
  files: z.enum(['are kept', 'may be lost']),
});

export type RepairUndo = z.infer<typeof undo>;

/**
 * Repairs a filesystem that nobody uses and that has errors, after the commit: nobody can set back what a repair has mended. The
 * journal is closed once a check finds it clean, and until then says what is left. An interrupted repair is begun again.
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
    await refuseUsers(host, device);
    // It takes long: what counts is the look before the act.
    if (chosen === undefined) await refuseSound(host, device, type);
    if (kept === 'are kept' && !asks(type))
      throw new RefusedError(
        `the repair of a ${type} mends all that it can, and asks nobody: files on ${device} may be lost; nothing was done`,
        { remedy: "say that they may be: --may-lose-files, files: 'may be lost'" },
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
    if (path !== undefined) await mend(host, path, of);
  },
  sync: async ({ undo: of, host }) => {
    const path = await locate(host, { path: of.device, identity: of.identity });
    if (path !== undefined) await host.sync(path);
  },
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
      `${device} holds a btrfs, and "btrfs check --repair" is dangerous by its own manual: nothing was done`,
      {
        remedy:
          'mount it and let it mend itself from its other copies: bofh btrfs scrub start PATH; if it does not mount: mount -o ro,rescue=all, and save what is on it',
      },
    );
  if (found?.type === 'swap')
    throw new RefusedError(`${device} holds a swap area, in which there is nothing to repair`, {
      remedy: `make it anew: bofh filesystem create ${device} --type swap --overwrite ${found.uuid ?? 'swap'}`,
    });
  throw new RefusedError(`${device} holds ${contentInWords(found)}: nothing that bofh can repair`, {
    remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
  });
}

/** Is it still to do? Of one that is in use nobody can tell, and the act says by whom. */
async function look(host: ReadHost, of: RepairUndo): Promise<Look> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { state: 'not-ours', found: `${of.device} is gone` };
  const found = await recognise(host, path);
  // Also what gives nothing but I/O errors looks blank.
  if (found === undefined) await probe(host, path);
  if (found?.type !== of.type || (found.uuid ?? null) !== of.uuid)
    return { state: 'not-ours', found: `${path} holds ${contentInWords(found)}` };
  const who = await holders(host, path);
  if (who.length > 0) return { state: 'ours', holders: who };
  return { state: (await examine(host, path, of.type)).state === 'clean' ? 'gone' : 'ours' };
}

/** How a person sees what is wrong with a filesystem, and repairs it. */
function repairedRecovery({ device, type, uuid, files }: RepairUndo, way: Way): ManualRecovery {
  const by = commandWords(repairOf(type, device, files === 'may be lost' ? 'yes' : 'safe'));
  return {
    what: `the ${type} of UUID ${uuid ?? '(none)'} on ${device}, which is to be repaired`,
    look: [commandWords(checkOf(type, device))],
    // Nothing was done to it before the commit.
    clear: way === 'back' ? [] : [by],
  };
}
