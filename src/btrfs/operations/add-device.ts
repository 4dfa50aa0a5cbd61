import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  checkOverwrite,
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  movedFrom,
  overwriteSchema,
  probe,
  recognise,
  refuseHeld,
  sameContent,
  signatureSchema,
  wipeSignatures,
} from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { btrfsSuperblock, checkDevice } from '../../filesystem/index.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { deviceAdd } from '../device-commands.ts';
import { isMember, membersOf, refuseCopy, refuseExclusive, refuseReadOnly } from '../devices.ts';
import { anyRoot, placeOf } from '../place.ts';
import { uuid } from '../schema.ts';
import { deviceClaims, knownDevice, removeMember, syncDevice } from './member.ts';
import { concurrentChange } from './concurrent-change.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(knownDevice, {
  /** Previous content; null: it was blank. */
  before: z.nullable(signatureSchema),
});

type Undo = z.infer<typeof undo>;

const result = z.strictObject({ devid: z.int(), uuid });

/**
 * `tx.btrfs.addDevice`: adds a device to a mounted btrfs. Refuses a device that is in use, too
 * small, or has content that `overwrite` does not name. Undo moves its data to the other devices
 * and leaves it blank, even if something was overwritten, because btrfs always discards the device
 * (`restores: 'existence'`).
 */
export const addDevice = operation({
  kind: 'btrfs.device.add',
  version: 1,
  args: z.strictObject({
    /** Any path on the filesystem. */
    path: z.string(),
    /** The device to add. It must be blank unless `overwrite` names its content. */
    device: z.string().check(z.minLength(1)),
    /** The content of the device that may be lost (default: it must be blank). */
    overwrite: z.exactOptional(overwriteSchema),
  }),
  undo,
  result,
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: { path, device, overwrite }, host, chosen }) => {
    checkOverwrite(overwrite);
    const { fs, mount } = await placeOf(host, path);
    refuseReadOnly(mount);
    if (await isMember(host, { fs, device }))
      throw new RefusedError(`${device} is a device of the btrfs on ${mount.path} already`, {
        remedy: `there is nothing to do; see: bofh btrfs device list ${inShell(mount.path)}`,
      });
    await refuseExclusive(host, { fs, mounted: mount.path }, ['balance paused']);
    const args = { device, type: 'btrfs', ...present({ overwrite }) } as const;
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await checkDevice(host, { args, when });
    refuseCopy(device, { fs, before });
    await refuseFullBeneath(host, device, `the btrfs on ${mount.path} with ${device}`);
    const { identity, key } = await identityOf(host, device);
    return { fs, source: mount.source, mounted: mount.path, device, identity, key, before: before ?? null };
  },
  // No `within`: the undo always removes the device from the filesystem before it removes anything
  // that contains the device.
  claims: ({ undo: of, on }) => deviceClaims(of, on),
  run: async ({ undo: of, host }) => {
    await recheck(host, of);
    const { path: device } = await deviceNode(host, of.device);
    if (of.before !== null) await host.run(wipeSignatures(device));
    await host.run(deviceAdd({ device, path: await anyRoot(host, of.fs) }));
    const { devid, deviceUuid } = await host.run(btrfsSuperblock(device));
    return { devid, uuid: deviceUuid };
  },
  value: ({ undo: { fs, device }, result: made }) => ({ filesystem: fs, device, ...made }),
  look: async ({ undo: of, result: made, restored, host }) => {
    const { path, look } = await find(host, of);
    if (look.state !== 'gone' || path === undefined || made === undefined || restored) return look;
    // A replacement gives the device uuid to the new device.
    const now = (await membersOf(host, of.fs)).find(({ deviceUuid }) => deviceUuid === made.uuid);
    if (now === undefined) return look;
    return { state: 'not-ours', found: `${of.device} was replaced by ${now.path}` };
  },
  revert: async ({ undo: of, host }) => {
    const { path, look } = await find(host, of);
    if (look.state === 'ours' && path !== undefined) await removeMember(host, of, path);
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { fs, device, mounted }, result: made }) => ({
    what: `the device ${device}${made === undefined ? '' : ` (number ${made.devid}, uuid ${made.uuid})`} of the btrfs ${fs} on ${mounted}`,
    look: [
      ['btrfs', 'filesystem', 'show', mounted],
      ['btrfs', 'inspect-internal', 'dump-super', device],
    ],
    clear: [['btrfs', 'device', 'remove', device, mounted]],
  }),
});

// Another process may have changed the device since the first check: this is the last check before
// data is lost.
async function recheck(host: ChangeHost, of: Undo): Promise<void> {
  if ((await identityOf(host, of.device)).identity !== of.identity)
    throw concurrentChange(`${of.device} is another device`);
  if (await isMember(host, of)) throw concurrentChange(`${of.device} is a device of ${of.mounted}`);
  await refuseHeld(host, of.device, await holders(host, of.device));
  const now = await recognise(host, of.device);
  if (!sameContent(now, of.before ?? undefined))
    throw concurrentChange(`${of.device} holds ${contentInWords(now)}`);
}

// The device uuid does not prove the step, because the undo of a later removal gives the device
// another one. The kernel writes the superblock together with the transaction that adds the device:
// after a power cut the superblock may exist although the device is not in the filesystem.
async function find(host: ReadHost, of: Undo): Promise<{ readonly path?: string; readonly look: Look }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  const isIn = await isMember(host, { fs: of.fs, device: path });
  // A device of the filesystem belongs to the step even if it returns only I/O errors.
  const now = await (isIn ? recognise : probe)(host, path);
  if (isIn || (now?.type === 'btrfs' && now.uuid === of.fs)) {
    const moved = await movedFrom(host, path, of.key);
    return { path, look: { state: 'ours', ...moved } };
  }
  if (now === undefined || sameContent(now, of.before ?? undefined)) return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}
