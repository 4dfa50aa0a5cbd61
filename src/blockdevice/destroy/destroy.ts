import type * as z from 'zod/mini';
import { deferred } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { wipeSignatures } from '../commands.ts';
import { holders, namingHolders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { locate, syncDevice } from '../locate.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { magicsNow } from '../wipe/magics.ts';
import { erased, eraseArgs, planErase } from '../wipe/plan.ts';
import { blkdiscard } from './commands.ts';

type Undo = z.infer<typeof erased>;

const mebibyte = 1024 ** 2;

/**
 * Destroys all that is on a device that nobody uses, after the commit. The head, in which its first signature lies, goes
 * last: a device without it is one that is done.
 */
function destroying(how: 'discard' | 'zero') {
  return deferred({
    kind: `block.${how}`,
    version: 1,
    args: eraseArgs,
    // As long as the first of its magics is there, the act is still to be done.
    undo: erased,
    prepare: async ({ args, host, chosen }) =>
      (await planErase(host, { ...args, again: chosen !== undefined })).erase,
    claims: async ({ undo: { device, contents }, on }) => {
      const { key, beneath } = await on(device);
      return { changes: [key, ...contents], needs: beneath };
    },
    look: async ({ undo: of, host }) => {
      const found = await find(host, of);
      if (found === undefined || found.state === 'done') return { state: 'gone' };
      if (found.state === 'others')
        return { state: 'not-ours', found: `${found.path} holds something else by now` };
      return { state: 'ours', holders: await holders(host, found.path) };
    },
    afterCommit: async ({ undo: of, host }) => {
      const found = await find(host, of);
      if (found === undefined || found.state === 'done') return;
      const { path } = found;
      if (found.state === 'others')
        throw new RefusedError(`${path} holds something else by now; nothing was destroyed`, {
          remedy: `look what it is (wipefs ${path}), and abandon what is left to do: bofh recover --abandon`,
        });
      await refuseHeld(host, path, await holders(host, path));
      const { size } = of;
      const head = Math.min(size, headOf(of));
      if (head < size)
        await namingHolders(host, path, () =>
          host.run(blkdiscard(path, how, { offset: head, length: size - head, size })),
        );
      await namingHolders(host, path, () =>
        host.run(blkdiscard(path, how, { offset: 0, length: head, size })),
      );
      // What is discarded need not read as zeros.
      if (how === 'discard') await host.run(wipeSignatures(path));
    },
    sync: ({ undo: of, host }) => syncDevice(host, of),
    describe: ({ undo: { device } }) => ({
      what: `all that is on ${device}, which is to be ${how === 'zero' ? 'filled with zeros' : 'discarded'}`,
      look: [
        ['wipefs', device],
        ['lsblk', device],
      ],
      clear: [['blkdiscard', ...(how === 'zero' ? ['--zeroout'] : []), device]],
    }),
  });
}

/** Tells a device that it needs none of its content any more: of a thin volume, an SSD or a file the room comes back. */
export const discard = destroying('discard');

/** Fills a device with zeros, so that nothing of its content is left; the device may do so by itself, and at once. */
export const zero = destroying('zero');

/** Whole MiB, with the whole of the first signature. */
function headOf({ magics }: Undo): number {
  const [first] = magics;
  const end = first === undefined ? 0 : first.offset + first.bytes.length / 2;
  return Math.max(1, Math.ceil(end / mebibyte)) * mebibyte;
}

async function find(
  host: ReadHost,
  of: Undo,
): Promise<{ readonly path: string; readonly state: 'to do' | 'done' | 'others' } | undefined> {
  const known = await locate(host, { path: of.device, identity: of.identity });
  if (known === undefined) return undefined;
  const { path, number } = await deviceNode(host, known);
  if ((await sizeOf(host, { path, number })) !== of.size) return { path, state: 'others' };
  const now = await magicsNow(host, { device: path, size: of.size, saved: of.magics });
  const [first] = now;
  if (first?.state === 'erased') return { path, state: 'done' };
  const isSame = first?.state === 'as it was' && first.around === 'as it was';
  return { path, state: isSame ? 'to do' : 'others' };
}
