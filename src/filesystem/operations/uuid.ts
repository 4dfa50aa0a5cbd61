import * as z from 'zod/mini';
import { type Look, operation, type Way } from '../../atomic/operation.ts';
import {
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  movedFrom,
  probe,
  recognise,
  refuseHeld,
  syncDevice,
  refuseWriteProtected,
} from '../../blockdevice/index.ts';
import { commandWords, type ChangeHost, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { checkUuid, makeable, type Makeable } from '../types.ts';
import { keepSeed, setUuid } from '../commands/uuid.ts';
import { hasUndo, uuidState, type UuidState, checkUuidChange, changeUuid } from '../uuids.ts';
import { newUuid } from './create.ts';

const args = z.strictObject({
  /** A device, so that it is clear which of two filesystems with the same uuid is meant. */
  device: z.string().check(z.startsWith('/')),
  /** UUID in the format of blkid (default: a new one). */
  uuid: z.exactOptional(z.string()),
  /**
   * Whether an ext4 may get the required feature (metadata_csum_seed), which GRUB
   * before 2.12 cannot read, except that of Debian 12.
   */
  seed: z.exactOptional(z.literal('may be added')),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  key: z.string(),
  /** Key of the device whose removal also removes the filesystem. */
  container: z.string(),
  type: z.enum(makeable),
  from: z.string(),
  to: z.string(),
  seed: z.enum(['added', 'as it is']),
});

export type UuidUndo = z.infer<typeof undo>;

/**
 * Sets another uuid of an unused filesystem or swap area, for example of a clone, so that both can
 * be mounted. Undo restores the old one. A change of an xfs or btrfs cannot be rolled back safely
 * after every kill, but can be rolled forward: so it runs after the commit, and recovery completes
 * an interrupted change.
 */
export const uuid = operation({
  kind: 'filesystem.uuid',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device, uuid: asked, seed: may }, host, chosen }) => {
    const seed = may ?? 'as it is';
    const { key, container, identity } = await identityOf(host, device);
    const { type, uuid: from } = await typeAndUuid(host, device);
    if (asked !== undefined) checkUuid(type, asked);
    const to = chosen?.to ?? asked ?? newUuid(type);
    const at = { device, identity, key, container, type, from, to };
    if (to === from) return { ...at, seed: 'as it is' as const };
    await refuseHeld(host, device, await holders(host, device));
    await refuseWriteProtected(host, device);
    await refuseTaken(host, device, to);
    return { ...at, seed: await checkUuidChange(host, { device, type, seed }) };
  },
  claims: async ({ undo: { device, from, to }, on }) => {
    const { key, beneath } = await on(device);
    if (from === to) return { needs: [key, ...beneath] };
    return { makes: [`fs:${to}`], changes: [key], needs: beneath };
  },
  within: ({ undo: { container } }) => container,
  defers: ({ undo: { type, from, to } }) => from === to || !hasUndo(type),
  run: async ({ undo: of, host }) => {
    const { path, now } = await find(host, of);
    if (path === undefined || now !== 'old')
      throw new RefusedError(`${of.device} holds another filesystem now; nothing was done`, {
        code: 'differs',
        remedy: `see what it holds: blkid -p ${of.device}; then run the command again`,
      });
    await change(host, path, of, 'forth');
    return null;
  },
  value: ({ undo: { type, from, to } }) => ({
    ...{ uuid: to, was: from },
    when: hasUndo(type) ? ('now' as const) : ('after the commit' as const),
  }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const { path, now } = await find(host, of);
    if (path === undefined || now === undefined) return { state: 'gone' };
    if (typeof now === 'object') return { state: 'not-ours', found: now.found };
    const isOurs = hasUndo(of.type) ? now !== 'old' : now !== 'new';
    if (!isOurs || of.from === of.to) return { state: 'gone' };
    const moved = await movedFrom(host, path, of.key);
    return { state: 'ours', holders: await holders(host, path), ...moved };
  },
  revert: async ({ undo: of, host }) => {
    const { path, now } = await find(host, of);
    if (path !== undefined && (now === 'new' || now === 'between')) await change(host, path, of, 'back');
  },
  afterCommit: async ({ undo: of, host }) => {
    const { path, now } = await find(host, of);
    if (path !== undefined && (now === 'old' || now === 'between')) await change(host, path, of, 'forth');
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: of, way }) => uuidRecovery(of, way),
});

async function typeAndUuid(
  host: ReadHost,
  device: string,
): Promise<{ readonly type: Makeable; readonly uuid: string }> {
  const found = await probe(host, device);
  const type = makeable.find((each) => each === found?.type);
  if (type !== undefined && found?.uuid !== undefined) return { type, uuid: found.uuid };
  throw new RefusedError(`${device} contains ${contentInWords(found)}: bofh cannot change its uuid`, {
    remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
  });
}

/** RefusedError if another device has this uuid, as far as udev knows. */
async function refuseTaken(host: ReadHost, device: string, to: string): Promise<void> {
  const link = `/dev/disk/by-uuid/${to}`;
  if ((await host.stat(link)) === undefined) return;
  const { path } = await deviceNode(host, link);
  throw new RefusedError(`the uuid ${to} is already on ${path}: ${device} stays unchanged`, {
    remedy: `leave out ${option('--uuid', '`uuid`')}: bofh chooses a new one`,
  });
}

async function change(host: ChangeHost, path: string, of: UuidUndo, way: 'forth' | 'back'): Promise<void> {
  await refuseHeld(host, path, await holders(host, path));
  await changeUuid(host, path, of, way);
}

async function find(
  host: ReadHost,
  of: UuidUndo,
): Promise<{ readonly path?: string; readonly now?: UuidState }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return {};
  const found = await recognise(host, path);
  if (found === undefined) {
    // A device with only I/O errors looks blank too.
    await probe(host, path);
    return { path };
  }
  if (found.type !== of.type) return { path, now: { found: `${path} holds ${contentInWords(found)}` } };
  return { path, now: await uuidState(host, path, found.uuid, of) };
}

/**
 * Manual recovery: shows a uuid, and restores the old one, or sets the new one if the step rolls
 * forward.
 */
function uuidRecovery({ device, type, from, to, seed }: UuidUndo, way: Way): ManualRecovery {
  const isBack = way === 'back';
  const set = setUuid({ type, device, uuid: isBack ? from : to });
  const kept = seed === 'added' ? [commandWords(keepSeed(device, isBack ? 'drop' : 'keep'))] : [];
  // Before the commit nothing was changed.
  const nothing = isBack && !hasUndo(type);
  return {
    what: `the uuid of the ${type} on ${device}: ${to}, which was ${from}`,
    look: [['blkid', '--probe', device]],
    clear: nothing ? [] : isBack ? [commandWords(set), ...kept] : [...kept, commandWords(set)],
  };
}
