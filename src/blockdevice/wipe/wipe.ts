import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { type ManualRecovery, type Holder, RefusedError } from '../../core/errors.ts';
import { wipeSignatures } from '../commands.ts';
import { holders, namingHolders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { locate, syncDevice } from '../locate.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { recognise } from '../probe.ts';
import { magicsOn, writeBytes } from './commands.ts';
import { writeBytesWords } from './write-bytes.ts';
import { refuseLeft } from './contents.ts';
import { magicsNow, type MagicNow } from './magics.ts';
import { eraseArgs, erased, planErase } from './plan.ts';
import { movedFrom } from '../keys.ts';

const undo = z.extend(erased, {
  key: z.string(),
  /** Key of the object whose destruction destroys all of it. */
  container: z.string(),
});

export type WipeUndo = z.infer<typeof undo>;

/**
 * Erases every signature on an unused device, as wipefs does: only these few bytes, so that nothing
 * else is lost. The bytes are journalled before; the undo restores them if nothing was written
 * around them since.
 */
export const wipe = operation({
  kind: 'block.wipe',
  version: 1,
  args: eraseArgs,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args, host, chosen }) => {
    const { erase, key, container, found, magics } = await planErase(host, {
      ...args,
      again: chosen !== undefined,
      blank: 'refused',
    });
    refuseLeft(args.device, { found, magics });
    return { ...erase, key, container };
  },
  claims: async ({ undo: { device, contents }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [key, ...contents], needs: beneath };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ undo: of, host }) => {
    const found = await find(host, of);
    // A link by uuid disappears with the signature.
    const path = found === undefined ? of.device : (await deviceNode(host, found.path)).path;
    const offsets = found === undefined ? [] : (await host.run(magicsOn(path))).map(({ offset }) => offset);
    const isSame = offsets.join() === of.magics.map(({ offset }) => offset).join();
    if (found?.path !== of.device || !isSame || !isUntouched(found.now))
      throw new RefusedError(`${of.device} has changed; nothing was erased`, {
        remedy: `see what it holds: wipefs ${of.device}; then run the command again`,
      });
    await refuseHeld(host, path, await holders(host, path));
    await namingHolders(host, path, () => host.run(wipeSignatures(path)));
    const left = await recognise(host, path);
    if (left !== undefined)
      throw new RefusedError(`wipefs has left ${left.type} on ${of.device}`, {
        remedy: `see what it is: wipefs ${of.device}; blkid -p ${of.device}`,
      });
    return null;
  },
  value: ({ undo: { device, magics } }) => ({
    device,
    erased: magics.map(({ offset, bytes, type, uuid }) => ({ offset, length: bytes.length / 2, type, uuid })),
  }),
  look: async ({ undo: of, result, host }) => {
    const found = await find(host, of);
    return found === undefined ? { state: 'gone' } : lookOf(host, of, { ...found, result });
  },
  revert: async ({ undo: of, result, host }) => {
    const found = await find(host, of);
    if (found === undefined) return;
    const look = await lookOf(host, of, { ...found, result });
    if (look.state !== 'ours') return;
    await refuseHeld(host, found.path, look.holders ?? []);
    const { path } = await deviceNode(host, found.path);
    for (const [at, { offset, bytes }] of of.magics.entries())
      if (found.now[at]?.state === 'erased')
        await host.run(writeBytes(path, { offset, bytes: Buffer.from(bytes, 'hex') }));
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: of }) => wipedRecovery(of),
});

interface Found {
  readonly path: string;
  /** The state of each run, in the order of the undo. */
  readonly now: readonly MagicNow[];
}

async function find(host: ReadHost, of: WipeUndo): Promise<Found | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const node = await deviceNode(host, path);
  const size = await sizeOf(host, node);
  if (of.magics.some(({ offset, bytes }) => offset + bytes.length / 2 > size))
    return { path, now: of.magics.map(() => ({ state: 'something else', around: 'written to' })) };
  return { path, now: await magicsNow(host, { device: node.path, size, saved: of.magics }) };
}

function isUntouched(now: readonly MagicNow[]): boolean {
  return now.every(({ state, around }) => state === 'as it was' && around === 'as it was');
}

async function lookOf(
  host: ReadHost,
  of: WipeUndo,
  { path, now, result }: Found & { readonly result: null | undefined },
): Promise<Look> {
  if (now.every(({ state }) => state === 'as it was')) return { state: 'gone' };
  if (now.some(({ state, around }) => state === 'something else' || around === 'written to'))
    return { state: 'not-ours', found: `${path} was written to where its signatures were` };
  // Without a result, wipefs may have left the signature, or have made it visible.
  const other = result === undefined ? undefined : await otherMagic(host, path, of);
  if (other !== undefined) return { state: 'not-ours', found: `${path} now holds ${other}` };
  const moved = await movedFrom(host, path, of.key);
  const who: readonly Holder[] = await holders(host, path);
  return { state: 'ours', holders: who, ...moved };
}

/**
 * Returns the type of a signature that others have created since: the blocks around the erased ones
 * are unchanged, because each type has its signature in another place.
 */
async function otherMagic(host: ReadHost, path: string, { magics }: WipeUndo): Promise<string | undefined> {
  const all = await host.run(magicsOn((await deviceNode(host, path)).path));
  return all.find((now) => magics.every(({ offset }) => offset !== now.offset))?.type;
}

/** Commands that show and restore the erased bytes: in octal, which every printf accepts. */
function wipedRecovery({ device, magics }: WipeUndo): ManualRecovery {
  const what = magics.map(({ type, uuid }) => (uuid === null ? type : `${type}, uuid ${uuid}`));
  return {
    what: `the signatures that were erased from ${device}: ${[...new Set(what)].join('; ')}`,
    look: [
      ['wipefs', device],
      ...magics.map(({ offset, bytes }) => [
        ...['od', '--address-radix=d', '--format=x1', `--skip-bytes=${String(offset)}`],
        ...[`--read-bytes=${String(bytes.length / 2)}`, device],
      ]),
    ],
    clear: magics.map(({ offset, bytes }) => writeBytesWords(device, offset, Buffer.from(bytes, 'hex'))),
  };
}
