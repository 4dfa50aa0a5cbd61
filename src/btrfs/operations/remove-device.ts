import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  recognise,
  refuseHeld,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { btrfsSuperblock } from '../../filesystem/index.ts';
import { deviceAdd } from '../device-commands.ts';
import {
  isMember,
  refuseExclusive,
  refuseFullMembers,
  refuseNeededDevice,
  refuseReadOnly,
  watchingMembers,
} from '../devices.ts';
import { anyRoot, placeOf } from '../place.ts';
import { uuid } from '../schema.ts';
import { edgesChanged, edgesWitness } from './device-edges.ts';
import { deviceClaims, knownDevice, removeMember, syncDevice } from './member.ts';
import { concurrentChange } from './concurrent-change.ts';

const undo = z.extend(knownDevice, {
  /** Its devid and its uuid: a later device can get the same devid, but not the same uuid. */
  devid: z.int(),
  uuid,
  /** Witness of its first and last 128 KiB before the step. Missing in journals of older versions. */
  edges: z.exactOptional(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.removeDevice`: moves the data of a device to the others of its filesystem, and leaves
 * it blank. Refused if the filesystem needs the device, or the others have too little space. An
 * interruption changes only where data is. Undo adds the device again, as a new one: moved data
 * stays where it is (`restores: 'existence'`).
 */
export const removeDevice = operation({
  kind: 'btrfs.device.remove',
  version: 1,
  args: z.strictObject({
    /** Any path on the filesystem. */
    path: z.string(),
    /** The device that leaves the filesystem. */
    device: z.string().check(z.minLength(1)),
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: { path, device }, host }) => {
    const { fs, mount } = await placeOf(host, path);
    const mounted = mount.path;
    refuseReadOnly(mount);
    if (!(await isMember(host, { fs, device })))
      throw new RefusedError(`${device} is not a device of the btrfs on ${mounted}`, {
        remedy: `see its devices: bofh btrfs device list ${mounted}`,
      });
    await refuseExclusive(host, { fs, mounted });
    const { devid, deviceUuid } = await host.run(btrfsSuperblock(device));
    await refuseNeededDevice(host, { fs, mounted, device, uuid: deviceUuid });
    await refuseFullMembers(host, fs, `the removal of ${device}`, { except: device });
    const { identity, key } = await identityOf(host, device);
    const edges = await edgesWitness(host, device);
    return { fs, source: mount.source, mounted, device, identity, key, devid, uuid: deviceUuid, edges };
  },
  claims: ({ undo: of, on }) => deviceClaims(of, on),
  run: async ({ undo: of, host }) => {
    if (!(await isMember(host, of))) throw concurrentChange(`${of.device} is not a device of ${of.mounted}`);
    const { deviceUuid } = await host.run(btrfsSuperblock(of.device));
    if (deviceUuid !== of.uuid || (await identityOf(host, of.device)).identity !== of.identity)
      throw concurrentChange(`${of.device} is another device`);
    const what = `the removal of ${of.device}`;
    await watchingMembers(host, { fs: of.fs, what, except: of.device }, (signal) =>
      removeMember(host, of, of.device, signal),
    );
    return null;
  },
  value: ({ undo: { fs, device, devid, uuid: own } }) => ({ filesystem: fs, device, devid, uuid: own }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { path, look, left } = await find(host, of);
    if (look.state !== 'ours' || path === undefined) return;
    if (left === 'its superblock') await removeMember(host, of, path);
    await refuseHeld(host, path, await holders(host, path));
    await refuseExclusive(host, of, ['balance paused']);
    const { path: device } = await deviceNode(host, path);
    await host.run(deviceAdd({ device, path: await anyRoot(host, of.fs) }));
  },
  // btrfs discards the whole device when it is added again.
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const { path } = await find(host, of);
      return path === undefined ? undefined : edgesWitness(host, path);
    },
    changed: async ({ undo: of, witness = of.edges, touched, host }) => {
      const { path } = await find(host, of);
      // Content that later steps created there and undid leaves bytes behind, but no signature.
      if (path === undefined || touched || witness === undefined) return undefined;
      return edgesChanged(host, path, { witness });
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { fs, device, mounted, devid, uuid: own } }) => ({
    what: `the device ${device} (number ${devid}, uuid ${own}), removed from the btrfs ${fs} on ${mounted}`,
    look: [
      ['btrfs', 'filesystem', 'show', mounted],
      ['blkid', '--probe', device],
    ],
    clear: [['btrfs', 'device', 'add', device, mounted]],
  }),
});

// The kernel commits first and then wipes the superblocks: after a power cut a removed device may
// still have one.
async function find(
  host: ReadHost,
  of: Undo,
): Promise<{ readonly path?: string; readonly look: Look; readonly left?: 'its superblock' }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined || (await isMember(host, { fs: of.fs, device: path })))
    return { look: { state: 'gone' } };
  const now = await recognise(host, path);
  if (now === undefined) return { path, look: { state: 'ours' } };
  const isOwn =
    now.type === 'btrfs' &&
    now.uuid === of.fs &&
    (await host.run(btrfsSuperblock(path))).deviceUuid === of.uuid;
  if (isOwn) return { path, look: { state: 'ours' }, left: 'its superblock' };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}
