import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { operation, type Look } from '../../atomic/operation.ts';
import {
  holders,
  identityOf,
  keysOf,
  locate,
  namingHolders,
  probe,
  recognise,
  type Signature,
  wipeSignatures,
} from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { checkArgs, checkDevice, describe, refuseHeld } from '../checks.ts';
import { mkfsExt4, mkswap } from '../commands.ts';
import { type CreateUndo, createArgs, createUndo } from '../schema.ts';

/**
 * Makes an ext4 filesystem or swap on a device, with a uuid that is chosen before. A device that is in use, or holds
 * anything that `overwrite` does not name, is refused. Its undo leaves the device blank, also where something was
 * overwritten: `restores: 'existence'`.
 */
export const create = operation({
  kind: 'filesystem.create',
  version: 1,
  args: createArgs,
  undo: createUndo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args, host, chosen }) => {
    checkArgs(args);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await checkDevice(host, { args, when });
    const { identity, container, key } = await identityOf(host, args.device);
    const uuid = chosen?.uuid ?? args.uuid ?? randomUUID();
    return { device: args.device, identity, key, container, type: args.type, uuid, before: before ?? null };
  },
  claims: async ({ undo, on }) => {
    const { key, beneath } = await on(undo.device);
    return { makes: [`fs:${undo.uuid}`], changes: [key], needs: beneath };
  },
  contains: ({ undo }) => `fs:${undo.uuid}`,
  within: ({ undo }) => undo.container,
  run: async ({ args, undo, host }) => {
    await recheck(host, undo);
    if (undo.before !== null) await host.run(wipeSignatures(undo.device));
    const make = {
      device: undo.device,
      uuid: undo.uuid,
      ...(args.label === undefined ? {} : { label: args.label }),
    };
    await host.run(undo.type === 'ext4' ? mkfsExt4(make) : mkswap(make));
    return null;
  },
  value: ({ undo }) => ({ uuid: undo.uuid }),
  look: async ({ undo, host }) => (await find(host, undo)).look,
  revert: async ({ undo, host }) => {
    const { path, look } = await find(host, undo);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => host.run(wipeSignatures(path)));
  },
  sync: async ({ undo, host }) => {
    const path = await locate(host, known(undo));
    if (path !== undefined) await host.sync(path);
  },
  describe: ({ undo: { device, type, uuid } }) => ({
    what: `the ${type} of UUID ${uuid} on ${device}`,
    look: [['blkid', '--probe', device]],
    clear: [['wipefs', '--all', device]],
  }),
});

// Between the check and the act somebody else may have been quicker: this is the last look before data is lost. That
// the device can be read was seen under the locks.
async function recheck(host: ChangeHost, undo: CreateUndo): Promise<void> {
  const { identity } = await identityOf(host, undo.device);
  if (identity !== undo.identity) {
    throw new RefusedError(`${undo.device} is another device by now; nothing was written`, {
      remedy: `look what it is (lsblk ${undo.device}), then give the command again`,
    });
  }
  await refuseHeld(host, undo.device, await holders(host, undo.device));
  const now = await recognise(host, undo.device);
  if (!same(now, undo.before ?? undefined)) {
    throw new RefusedError(`${undo.device} holds ${describe(now)} by now; nothing was written`, {
      remedy: `look what it is (blkid -p ${undo.device}), then give the command again`,
    });
  }
}

// A killed mkfs.ext4 or mkswap leaves no signature, it comes last: so a blank device is one without our effect, and
// one that still holds what it did is too. What lies on another device is never asked for its uuid.
async function find(host: ReadHost, undo: CreateUndo): Promise<{ path?: string; look: Look }> {
  const path = await locate(host, known(undo));
  if (path === undefined) return { look: { state: 'gone' } };
  const now = await probe(host, path);
  if (now === undefined) return { path, look: { state: 'gone' } };
  if (now.uuid === undo.uuid && now.type === undo.type) {
    // A device may have another number after a reboot, and is still called the same.
    const { key } = await keysOf(host, path);
    const moved = key === undo.key ? {} : { movedTo: key };
    return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
  }
  if (same(now, undo.before ?? undefined)) return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${describe(now)}` } };
}

function known(undo: CreateUndo): { path: string; identity: string } {
  return { path: undo.device, identity: undo.identity };
}

function same(one: Signature | undefined, other: Signature | undefined): boolean {
  const keys = ['type', 'usage', 'uuid', 'label', 'ptType'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}
