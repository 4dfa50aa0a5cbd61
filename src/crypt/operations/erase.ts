import * as z from 'zod/mini';
import { deferred } from '../../atomic/operation.ts';
import { holders } from '../../blockdevice/index.ts';
import { RefusedError } from '../../errors.ts';
import { toEraseByHand } from '../by-hand.ts';
import { luksErase } from '../key-commands.ts';
import { refuseHeld } from '../content.ts';
import { findKnown, knownDevice, luksDevice } from '../slots.ts';

const args = z.strictObject({
  device: z.string().check(z.minLength(1)),
  /** Of the device that is meant: its data are lost for ever. */
  uuid: z.string(),
});

/**
 * Destroys every key of an encrypted device that nobody has open, after the commit: what is on it can never be read again,
 * not by its keys either, unless somebody has kept its header. The header stays, without a key slot.
 */
export const erase = deferred({
  kind: 'crypt.erase',
  version: 1,
  args,
  undo: knownDevice,
  prepare: async ({ args: { device, uuid }, host }) => {
    const { known, header } = await luksDevice(host, device);
    if (header.uuid !== uuid)
      throw new RefusedError(`${device} is the LUKS device ${header.uuid}, not ${uuid}; nothing was erased`, {
        remedy: 'look at it (bofh crypt list), and name the one that is meant',
      });
    if (header.keySlots.length === 0)
      throw new RefusedError(`${device} has no key: it is erased already`, {
        remedy: `look at it: bofh crypt dump ${device}`,
      });
    await refuseHeld(host, device, await holders(host, device));
    return known;
  },
  claims: async ({ undo: { device, luksUuid }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`luks:${luksUuid}`, key], needs: beneath };
  },
  look: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found === undefined || found.header.keySlots.length === 0) return { state: 'gone' };
    return { state: 'ours', holders: await holders(host, found.path) };
  },
  afterCommit: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found === undefined) return;
    // It would go on working until it is closed, and nobody would notice.
    await refuseHeld(host, found.path, await holders(host, found.path));
    await host.run(luksErase(found.path));
  },
  sync: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found !== undefined) await host.sync(found.path);
  },
  describe: toEraseByHand,
});
