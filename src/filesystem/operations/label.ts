import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  mountsOn,
  movedFrom,
  probe,
  recognise,
  refuseHeld,
  syncDevice,
  visible,
  refuseWriteProtected,
} from '../../blockdevice/index.ts';
import { commandWords, type ChangeHost, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, type Holder, RefusedError } from '../../core/errors.ts';
import { type LabelAt, labelOf, relabel } from '../commands/label.ts';
import { isWritable, readOnly } from '../mounted.ts';
import { theirs } from '../measure.ts';
import { checkLabel, makeable } from '../types.ts';

const args = z.strictObject({
  /** A device, a link to one, or `UUID=…`. */
  device: z.string().check(z.minLength(1)),
  /** The new label; null: none. */
  label: z.nullable(
    z
      .string()
      .check(
        z.minLength(1),
        z.regex(/^(?!-)\P{Cc}+$/u, 'must have no control characters, and not begin with "-"'),
      ),
  ),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  key: z.string(),
  /** Key of the device whose removal also removes the filesystem. */
  container: z.string(),
  type: z.enum(makeable),
  uuid: z.string(),
  from: z.nullable(z.string()),
  to: z.nullable(z.string()),
});

export type LabelUndo = z.infer<typeof undo>;

/**
 * Sets another label of a filesystem or swap area, or none: for ext2/3/4, xfs and btrfs even while
 * mounted. Does nothing if the label is the current one.
 */
export const label = operation({
  kind: 'filesystem.label',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device: path, label: to }, host }) => {
    const device = path.startsWith('/') ? path : (await deviceNode(host, path)).path;
    const { key, container, identity } = await identityOf(host, device);
    const { at, uuid } = await labelled(host, device);
    if (to !== null) checkLabel(at.type, to);
    const from = await host.run(labelOf(at));
    if (from !== to) await refuseUsed(host, at);
    return { device, identity, key, container, type: at.type, uuid, from, to };
  },
  claims: async ({ undo: { device, uuid, from, to }, on }) => {
    const { key, beneath } = await on(device);
    if (from === to) return { needs: [key, ...beneath] };
    return { changes: [`fs:${uuid}`, key], needs: beneath };
  },
  within: ({ undo: { container } }) => container,
  // If the label is right already, there is nothing to do, neither now nor after the commit.
  defers: ({ undo: { from, to } }) => from === to,
  run: async ({ undo: of, host }) => {
    const { look, at } = await find(host, of);
    if (look.state !== 'gone' || at === undefined)
      throw new RefusedError(
        `${of.device} holds another filesystem, or it has another label now; nothing was done`,
        { code: 'differs', remedy: `see what it holds: blkid -p ${of.device}; then run the command again` },
      );
    await change(host, at, of.to);
    return null;
  },
  value: ({ undo: { uuid, to } }) => ({ uuid, label: to }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { look, at } = await find(host, of);
    if (look.state === 'ours' && at !== undefined) await change(host, at, of.from);
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: of }) => relabelledRecovery(of),
});

async function labelled(
  host: ReadHost,
  device: string,
): Promise<{ readonly at: LabelAt; readonly uuid: string }> {
  const found = await probe(host, device);
  const type = makeable.find((each) => each === found?.type);
  if (type === undefined || found?.uuid === undefined)
    throw new RefusedError(`${device} holds ${contentInWords(found)}: bofh does not know its label`, {
      remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
    });
  return { at: await placeOf(host, { device, type }), uuid: found.uuid };
}

async function placeOf(host: ReadHost, of: Pick<LabelAt, 'device' | 'type'>): Promise<LabelAt> {
  return { ...of, path: (await visible(host, await mountsOn(host, of.device)))?.path };
}

async function change(host: ChangeHost, at: LabelAt, to: string | null): Promise<void> {
  await refuseUsed(host, at);
  await host.run(relabel(at, to));
}

// The kernel keeps the superblock of a mounted vfat, and the header of swap in use, in memory.
async function harmedHolders(
  host: ReadHost,
  { type, device }: Pick<LabelAt, 'type' | 'device'>,
): Promise<readonly Holder[]> {
  return type === 'vfat' || type === 'swap' ? holders(host, device) : theirs(host, device);
}

async function refuseUsed(host: ReadHost, at: LabelAt): Promise<void> {
  await refuseHeld(host, at.device, await harmedHolders(host, at));
  await refuseWriteProtected(host, at.device);
  const mounts = await mountsOn(host, at.device);
  if (mounts.length > 0 && (await visible(host, mounts.filter(isWritable))) === undefined)
    throw readOnly(at.device, mounts);
}

async function find(host: ReadHost, of: LabelUndo): Promise<{ readonly look: Look; readonly at?: LabelAt }> {
  const device = await locate(host, { path: of.device, identity: of.identity });
  if (device === undefined) return { look: { state: 'gone' } };
  const found = await recognise(host, device);
  if (found === undefined) {
    // A device with only I/O errors looks blank too.
    await probe(host, device);
    return { look: { state: 'gone' } };
  }
  if (found.uuid !== of.uuid || found.type !== of.type)
    return { look: { state: 'not-ours', found: `${device} holds ${contentInWords(found)}` } };
  const at = await placeOf(host, { device, type: of.type });
  const now = await host.run(labelOf(at));
  if (now === of.from && now !== of.to) return { at, look: { state: 'gone' } };
  if (now !== of.to)
    return { at, look: { state: 'not-ours', found: `${device} has the label ${JSON.stringify(now)}` } };
  const moved = await movedFrom(host, device, of.key);
  return { at, look: { state: 'ours', holders: await harmedHolders(host, at), ...moved } };
}

/** Manual recovery: show the label, and restore it. */
function relabelledRecovery({ device, type, uuid, from, to }: LabelUndo): ManualRecovery {
  const what = `the label of the ${type} of UUID ${uuid} on ${device}: ${JSON.stringify(to)}, which was ${JSON.stringify(from)}`;
  const at = { type, device, path: undefined };
  return { what, look: [commandWords(labelOf(at))], clear: [commandWords(relabel(at, from))] };
}
