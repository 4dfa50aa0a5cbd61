import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import {
  deviceNode,
  everyHolder,
  identityOf,
  locate,
  mountEntries,
  numberAt,
  recognise,
  refuseGuests,
  refuseHeld,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { BofhError, type Holder, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { present } from '../../core/present.ts';
import { mountedRecovery } from '../manual-recovery.ts';
import { mount as mountCommand } from '../commands.ts';
import { mountOptions, wordsOf } from '../options.ts';
import { chooseDirectory, isOf, lookForMount, makeMount, takeAway } from '../step-mount.ts';
import { markOption, mountsAt } from '../table.ts';

const args = z.strictObject({
  /** A device, a link to one, or `UUID=…`. */
  device: z.string(),
  /**
   * An existing empty directory (default: a new private one below /run/bofh/mnt, which the undo and
   * a later unmount remove).
   */
  path: z.exactOptional(z.string()),
  /** The directory may have content, which the mount hides (default: it must be empty). */
  hides: z.exactOptional(z.literal(true)),
  /** Type of the filesystem (default: found by mount(8)). */
  type: z.exactOptional(
    z.string().check(z.regex(/^[a-z0-9][a-z0-9_-]*$/, 'must be the name of a type, such as ext4')),
  ),
  /** Options as for `mount -o`: a list, or names with values. */
  options: z.exactOptional(mountOptions),
  /** `ro`: mounted read-only. */
  mode: z.enum(['ro', 'rw']),
});

const undo = z.strictObject({
  path: z.string(),
  private: z.boolean(),
  hides: z.exactOptional(z.literal(true)),
  device: z.string(),
  number: z.string(),
  /** Identity of the device: after a reboot another device may have its number. */
  identity: z.exactOptional(z.string()),
  /** The link to the device that the caller gave. */
  link: z.exactOptional(z.string()),
  mark: z.string(),
});

/**
 * `tx.mount.mount`: mounts a filesystem on a private directory, or on an empty one of the
 * administrator.
 *
 * The tag: a private directory has it in its name. On a directory of the administrator, device,
 * path and (once known) mount ID prove nothing, because any program can mount that device there. So
 * the mount has the option `x-bofh.mark=MARK`, which libmount keeps beside the kernel's table and
 * drops at the umount.
 */
export const mount = operation({
  kind: 'mount.mount',
  version: 1,
  args,
  undo,
  result: z.strictObject({ mountId: z.int() }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { device, path, hides, mode, options }, mark, host }) => {
    const node = await deviceNode(host, device);
    await refuseGuests(host, device, mode);
    if (!wordsOf(options).includes('nouuid'))
      await refuseSecondXfs(host, device.startsWith('/') ? device : node.path, node.number);
    const where = await chooseDirectory(host, path, mark, hides);
    const { identity } = await identityOf(host, node.path);
    const link = device.startsWith('/') && device !== node.path ? { link: device } : {};
    return {
      ...where,
      ...present({ hides }),
      device: node.path,
      number: node.number,
      identity,
      ...link,
      mark,
    };
  },
  claims: async ({ undo: { path, device }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`mnt:${path}`, key], needs: beneath };
  },
  run: async ({ args: asked, undo: wanted, host }) => {
    const options = [...wordsOf(asked.options), markOption(wanted.mark)];
    const command = mountCommand({ ...asked, device: wanted.device, path: wanted.path, options });
    const made = await makeMount(host, wanted, () => host.run(command));
    if (asked.mode === 'rw' && made.superOptions.split(',').includes('ro'))
      throw new RefusedError(`${wanted.device} is write-protected: it can only be mounted read-only`, {
        remedy: `mount it read-only: ${option('--read-only', "mode: 'ro'")}; or remove the protection: blockdev --setrw ${wanted.device}`,
      });
    return { mountId: made.id };
  },
  again: ({ undo: made, host }) => placeAgain(host, made),
  value: ({ undo: { path } }) => ({ path }),
  look: ({ undo: made, result: known, host }) => lookForMount(host, made, known),
  revert: ({ undo: made, result: known, host }) => takeAway(host, made, known),
  describe: mountedRecovery,
});

/**
 * Refuses an xfs with the UUID of another mounted one, such as a snapshot of a volume in use. The
 * kernel says why only in its log, and mount(8) says "wrong fs type, bad option, bad superblock".
 */
async function refuseSecondXfs(host: ReadHost, device: string, number: string): Promise<void> {
  const others = new Map(
    (await mountEntries(host))
      .filter((entry) => entry.type === 'xfs' && entry.device !== number)
      .map((entry) => [entry.device, entry]),
  );
  if (others.size === 0) return;
  const uuid = await xfsUuid(host, device);
  if (uuid === undefined) return;
  for (const { source, path, device: other } of others.values()) {
    // The name in the table of mounts may be gone, or belong to another device now.
    if ((await numberAt(host, source)) !== other) continue;
    if ((await xfsUuid(host, source)) !== uuid) continue;
    throw new RefusedError(
      `${device} holds an xfs with the uuid ${uuid}, as ${source} does, which is mounted on ${path}`,
      {
        remedy: `mount it with ${option('-o nouuid', "options: ['nouuid']")}; or, if it is no longer the same filesystem, change its uuid: bofh filesystem uuid ${device}`,
      },
    );
  }
}

/**
 * Undefined: not an xfs, or it cannot be read, for example a disk that failed while it was mounted.
 * Then mount(8) decides.
 */
async function xfsUuid(host: ReadHost, device: string): Promise<string | undefined> {
  try {
    const found = await recognise(host, device);
    return found?.type === 'xfs' ? found.uuid : undefined;
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
}

/**
 * Returns the current path of the device; undefined if others have mounted it on this path
 * meanwhile.
 */
async function placeAgain(
  host: ReadHost,
  made: z.infer<typeof undo>,
): Promise<z.infer<typeof undo> | undefined> {
  const { identity, path, mark } = made;
  const known = made.link ?? made.device;
  const device = identity === undefined ? known : await locate(host, { path: known, identity });
  if (device === undefined)
    throw new RefusedError(`${known} is gone`, {
      code: 'not-found',
      remedy: `attach ${known} again`,
    });
  const { number, path: node } = await deviceNode(host, device);
  const top = mountsAt(await mountEntries(host), path).at(-1);
  if (top !== undefined && (await isOf(host, top, number))) return undefined;
  // A guest may use it meanwhile; the kernel would mount it nevertheless. It may be mounted elsewhere too.
  const isOther = ({ kind }: Holder): boolean => !['unknown', 'mount', 'btrfs'].includes(kind);
  await refuseHeld(host, device, (await everyHolder(host, device)).filter(isOther));
  if (!made.private) await chooseDirectory(host, path, mark, made.hides);
  return { ...made, device: node, number };
}
