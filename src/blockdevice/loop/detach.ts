import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { FileStat, ReadHost } from '../../command/index.ts';
import { IdentityTaken, RefusedError } from '../../core/errors.ts';
import { everyHolder, holders } from '../holders/index.ts';
import { inUse } from '../in-use.ts';
import { deviceNode } from '../node.ts';
import { attachWords, inWords, lookAt } from './manual-recovery.ts';
import { conflicting, refusePartitions, refuseUsedFile } from './attach.ts';
import { attach } from './commands.ts';
import { detachAndWait, loopDevices, loopNumbered, showsSame } from './reads.ts';
import { attachment, type LoopDevice } from './schema.ts';
import { present } from '../../core/present.ts';

const args = z.strictObject({
  /** `/dev/loop3`, or a link to it. */
  device: z.string().check(z.minLength(1)),
});

/** How it was attached, and in which boot: in a later boot it need not be restored. */
const undo = z.extend(attachment, {
  boot: z.string(),
  /** Creation time of the file, because another one may get its inode number. */
  birth: z.exactOptional(z.string()),
  /** Numbers of other devices over the same bytes; missing in journals of older versions. */
  beside: z.exactOptional(z.array(z.int())),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.block.detachLoop`: detaches an unused loop device from its file. The undo attaches the same file again at the
 * same number; at another one if others took it, and the sequence itself had attached the file. Refused if that would
 * be impossible: the file was deleted, or another file has its name. Refused also while the kernel has partitions of
 * the device that were added with partx: they would stay.
 */
export const detachLoop = operation({
  kind: 'block.loop.detach',
  endsAccess: true,
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { device }, host }) => {
    const loop = await loopAt(host, device);
    const { autoclear, device: path, ...was } = loop;
    await refuseUsed(host, path);
    if (autoclear)
      throw new RefusedError(`${path} is being detached already: the kernel completes it at the last close`, {
        remedy: `see who has it open: fuser --verbose ${path}`,
      });
    await refusePartitions(host, loop, 'then run the command again');
    const { birth } = await refuseLost(host, loop, `detach it without an undo: losetup --detach ${path}`);
    const beside = conflicting(await loopDevices(host), was).map(({ number }) => number);
    return {
      ...{ ...was, ...present({ birth }), boot: (await host.facts()).boot },
      beside: beside.filter((number) => number !== was.number),
    };
  },
  claims: async ({ undo: { number }, on }) => {
    const { key, beneath } = await on(`/dev/loop${number}`);
    return { changes: [key], needs: beneath };
  },
  run: async ({ undo: was, host }) => {
    const loop = await loopNumbered(host, was.number);
    if (loop === undefined || !showsSame(loop, was))
      throw new RefusedError(`/dev/loop${was.number} is no longer attached to ${was.file}`, {
        remedy: 'see what else changes it: losetup --list; then run the command again',
      });
    await refuseUsed(host, loop.device);
    await detachAndWait(host, loop);
    return null;
  },
  value: ({ undo: { number, file } }) => ({ device: `/dev/loop${number}`, file }),
  look: ({ undo: was, host }) => look(host, was),
  revert: async ({ undo: was, host }) => {
    const here = await loopNumbered(host, was.number);
    if (here !== undefined && showsSame(here, was)) {
      if (!here.autoclear) return;
      // Half-way: a pending detach cannot be cancelled, so it is completed, and the file attached
      // again.
      await detachAndWait(host, here);
    } else if (here !== undefined) throw taken(was, here);
    const remedy = `restore the file with the inode ${was.inode} at this path; then: bofh recover`;
    await refuseLost(host, was, remedy);
    await refuseAdded(host, was);
    await refuseUsedFile(host, was.file);
    await host.run(attach(was));
  },
  describe: ({ undo: was }) => ({ what: inWords(was), look: lookAt(was), clear: [attachWords(was)] }),
});

async function look(host: ReadHost, was: Undo): Promise<Look> {
  if ((await host.facts()).boot !== was.boot) return { state: 'gone' };
  const loops = await loopDevices(host);
  const here = loops.find(({ number }) => number === was.number);
  if (here !== undefined && showsSame(here, was))
    return here.autoclear ? { state: 'ours', holders: await holders(host, here.device) } : { state: 'gone' };
  const elsewhere = loops.find((loop) => showsSame(loop, was));
  if (elsewhere !== undefined)
    return { state: 'not-ours', found: `${was.file} is now attached as ${elsewhere.device}` };
  return { state: 'ours' };
}

async function loopAt(host: ReadHost, device: string): Promise<LoopDevice> {
  const { path, number } = await deviceNode(host, device);
  const loop = (await loopDevices(host)).find((each) => number === `7:${each.number}`);
  if (loop !== undefined) return loop;
  throw new RefusedError(`${path} is not a loop device with a file`, {
    remedy: 'list the loop devices: bofh block loop list',
  });
}

// RefusedError for a device in use, also if a process only has it open: losetup would not report
// that, and the detach could not be undone. A process that could not be examined (there are always
// some) proves no use; afterwards the kernel shows the result.
async function refuseUsed(host: ReadHost, device: string): Promise<void> {
  const who = await everyHolder(host, device);
  if (who.some(({ kind }) => kind !== 'unknown')) throw inUse(device, who);
}

async function refuseLost(
  host: ReadHost,
  {
    file,
    inode,
    filesystem,
    number,
    birth,
  }: Pick<LoopDevice, 'file' | 'inode' | 'filesystem' | 'number'> & { readonly birth?: string },
  remedy: string,
): Promise<FileStat> {
  const stat = await host.stat(file);
  const isSame = stat?.kind === 'file' && stat.inode === inode && stat.device === filesystem;
  if (isSame && (birth === undefined || stat.birth === birth)) return stat;
  const what = stat === undefined ? `its file is no longer at ${file}` : `${file} is now a different file`;
  throw new RefusedError(`/dev/loop${number}: ${what}, so an undo cannot attach it again`, { remedy });
}

/** RefusedError if others have attached the same bytes since the step. A new attachment makes the same check. */
async function refuseAdded(host: ReadHost, was: Undo): Promise<void> {
  const now = conflicting(await loopDevices(host), was);
  const added = now.find(({ number }) => was.beside?.includes(number) !== true);
  if (added === undefined) return;
  throw new RefusedError(
    `${was.file} is attached as ${added.device} (${added.mode}) now, and a second device over the same bytes would not see its writes`,
    { remedy: `detach it: losetup --detach ${added.device}; then: bofh recover` },
  );
}

function taken({ number, file }: Undo, here: LoopDevice): IdentityTaken {
  return new IdentityTaken(
    `${here.device} is now attached to ${here.file}: ${file} cannot be attached there again`,
    { remedy: `when that file is no longer used: losetup --detach /dev/loop${number}; then: bofh recover` },
  );
}
