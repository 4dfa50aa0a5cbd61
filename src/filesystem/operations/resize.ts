import * as z from 'zod/mini';
import { type Look, operation, type Way } from '../../atomic/operation.ts';
import {
  contentInWords,
  holders,
  identityOf,
  locate,
  movedFrom,
  namingHolders,
  probe,
  recognise,
  refuseHeld,
  syncDevice,
} from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, CommandError, type Holder, NotDone, RefusedError } from '../../core/errors.ts';
import { sizeOrMax, sizeOrMaxOption } from '../../core/request.ts';
import { btrfsAt, btrfsResize } from '../commands/btrfs.ts';
import { e2fsckPreen, resize2fs } from '../commands/ext.ts';
import { xfsGrow } from '../commands/xfs.ts';
import { type Measured, measure, measureFound, theirs } from '../measure.ts';
import { hasPrivate, whereMounted } from '../mounted.ts';
import { planResize, resizable } from '../resizing.ts';

const args = z.strictObject({
  /** A device, a link to one, or `UUID=…`. */
  device: z.string().check(z.minLength(1)),
  /** Bytes, text such as `10g`, or `max`: the whole device. Rounded down to a size that the filesystem supports. */
  size: sizeOrMaxOption,
});

const count = z.int().check(z.minimum(1));

const undo = z.strictObject({
  /** The device node. */
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  key: z.string(),
  /** Key of the device whose removal also removes the filesystem. */
  container: z.string(),
  type: z.enum(resizable),
  uuid: z.string(),
  blockSize: count,
  /** The old size, in blocks of the filesystem. */
  from: count,
  to: count,
  /** A resize without an inverse runs after the commit. */
  when: z.enum(['now', 'after the commit']),
  /** The number of the device in a btrfs. Missing in journals of an older bofh. */
  devid: z.optional(count),
  /** Tag of the step, for the private directory if it mounts the filesystem temporarily. */
  mark: z.string(),
});

export type ResizeUndo = z.infer<typeof undo>;

/**
 * Resizes a filesystem. A resize that cannot be undone (an xfs never shrinks, an ext4 not while
 * mounted) runs after the commit; `when` in the value reports that. `size` is the resulting size.
 */
export const resize = operation({
  kind: 'filesystem.resize',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device: path, size }, mark, host }) => {
    const { key, container, identity } = await identityOf(host, path);
    const plan = await planResize(host, { path, size: sizeOrMax(size) });
    return { ...plan, key, container, identity, mark };
  },
  claims: async ({ undo: { device, uuid, from, to }, on }) => {
    const { key, beneath } = await on(device);
    if (from === to) return { needs: [key, ...beneath] };
    return { changes: [`fs:${uuid}`, key], needs: beneath };
  },
  within: ({ undo: { container } }) => container,
  defers: ({ undo: { when } }) => when === 'after the commit',
  run: async ({ undo: of, host }) => {
    const found = await expectSame(host, of);
    if (found.blocks !== of.from)
      throw new RefusedError(`${of.device} has another size now; nothing was done`, {
        remedy: `see its size: bofh filesystem show ${of.device}; then run the command again`,
      });
    await change(host, of, { path: of.device, blocks: of.to, found });
    return null;
  },
  value: ({ undo: { to, blockSize, when } }) => ({ size: to * blockSize, when }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { path, found, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined || found === undefined) return;
    await withToolRemedy(path, () => change(host, of, { path, blocks: of.from, found }));
  },
  afterCommit: async ({ undo: of, host }) => {
    const { path, found, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined || found === undefined) return;
    await withToolRemedy(path, () => change(host, of, { path, blocks: of.to, found }));
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: of, way }) => resizedRecovery(of, way),
});

/**
 * RefusedError unless it is still the same filesystem on the same device, without a new holder that
 * the resize would harm.
 */
async function expectSame(host: ReadHost, of: ResizeUndo): Promise<Measured> {
  const { identity } = await identityOf(host, of.device);
  const found = await measure(host, of.device);
  if (identity === of.identity && found.uuid === of.uuid && found.type === of.type) return found;
  throw new RefusedError(
    `${of.device} is another device, or holds another filesystem now; nothing was done`,
    {
      remedy: `see what it is: lsblk --fs ${of.device}; then run the command again`,
    },
  );
}

/**
 * Runs work whose error names e2fsck itself as the remedy: while the journal is open, bofh refuses
 * to check the filesystem.
 */
async function withToolRemedy(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NotDone)) throw error;
    throw new RefusedError(error.message, {
      remedy: `e2fsck -f -y ${path}; bofh recover`,
      cause: error,
    });
  }
}

/**
 * Runs `e2fsck -p`. Errors that an administrator must repair existed before, so the step did not
 * cause them.
 */
async function preen(host: ChangeHost, device: string): Promise<void> {
  try {
    await namingHolders(host, device, () => host.run(e2fsckPreen(device)));
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== 4) throw error;
    throw new NotDone(
      `${device} has errors that e2fsck does not repair by itself; its size was not changed`,
      {
        found: `${device} has errors`,
        remedy: `bofh filesystem check ${device} --repair`,
        cause: error,
      },
    );
  }
}

interface Change {
  /** The current path of the device. */
  readonly path: string;
  readonly blocks: number;
  readonly found: Measured;
}

/**
 * Resizes the filesystem: forward, back, or after the commit. Names other holders of the device,
 * and does nothing to them.
 */
async function change(host: ChangeHost, of: ResizeUndo, { path, blocks, found }: Change): Promise<void> {
  await refuseHeld(host, path, await theirs(host, path));
  const { type, mark } = of;
  if (type !== 'xfs' && type !== 'btrfs') {
    await changeExt(host, { path, blocks, found });
    return;
  }
  // After growth the new size may be only in the log of an xfs until it is mounted, so it is read
  // again at the mount.
  await whereMounted(host, { device: path, type, mark }, async (at) => {
    const now = await measure(host, path);
    if (now.blocks === blocks) return;
    if (type === 'xfs' && now.blocks < blocks) await host.run(xfsGrow({ path: at, blocks }));
    if (type === 'btrfs') await changeBtrfs(host, of, { path: at, blocks, found: now });
  });
}

async function changeExt(host: ChangeHost, { path, blocks, found }: Change): Promise<void> {
  const shrinks = blocks < found.blocks;
  if (shrinks) await refuseHeld(host, path, await holders(host, path));
  if (found.mounts.length === 0) await preen(host, path);
  if (blocks === found.blocks) return;
  try {
    await namingHolders(host, path, () => host.run(resize2fs(path, blocks)));
  } catch (error) {
    const [mount] = found.mounts;
    if (mount === undefined || !(error instanceof CommandError) || error.holders.length > 0) throw error;
    // The kernel refuses it for a filesystem with errors, among others. Unmounted, e2fsck runs first.
    throw new RefusedError(error.message, {
      cause: error,
      remedy: `resize it unmounted: umount ${inShell(mount.path)}; bofh recover`,
    });
  }
}

async function changeBtrfs(host: ChangeHost, of: ResizeUndo, { path, blocks, found }: Change): Promise<void> {
  const uuid = await host.run(btrfsAt(path));
  if (uuid !== of.uuid || found.btrfs === undefined)
    throw new RefusedError(`${path} is the btrfs ${uuid} now; nothing was done`, {
      remedy: `see the mount: findmnt ${inShell(path)}; then run the command again`,
    });
  await host.run(btrfsResize({ path, devid: found.btrfs.devid, size: blocks * of.blockSize }));
}

interface Found {
  readonly path?: string;
  readonly found?: Measured;
  readonly look: Look;
}

/**
 * Returns the state of the change, by the UUID of the filesystem and its size in its own blocks.
 */
async function find(host: ReadHost, of: ResizeUndo): Promise<Found> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  const signature = await recognise(host, path);
  if (signature === undefined) {
    // A device with only I/O errors looks blank too.
    await probe(host, path);
    return { path, look: { state: 'gone' } };
  }
  if (signature.uuid !== of.uuid || signature.type !== of.type)
    return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(signature)}` } };
  const found = await measureFound(host, path, signature);
  const state = stateOf(of, found, await hasPrivate(host, of.mark));
  if (state === 'not-ours')
    return {
      path,
      look: { state, found: `${path} has ${String(found.blocks)} blocks of ${of.blockSize} bytes` },
    };
  if (state === 'gone') return { path, found, look: { state } };
  const moved = await movedFrom(host, path, of.key);
  return { path, found, look: { state, holders: await harmedHolders(host, of, path), ...moved } };
}

/**
 * For a step that runs before the commit: whether it ran, fully or in part. For one after the
 * commit: whether it is still to do. resize2fs marks a filesystem as having errors while it works,
 * so a killed run is visible (1.47); an ext4 that grows while mounted grows group by group.
 */
function stateOf(of: ResizeUndo, found: Measured, isMountedByUs: boolean): Look['state'] {
  const { from, to, when } = of;
  const { blocks, ext } = found;
  if (when === 'now') {
    if (blocks === to) return 'ours';
    if (blocks !== from) return 'not-ours';
    return ext?.state === 'errors' || isMountedByUs ? 'ours' : 'gone';
  }
  if (blocks === to) return isMountedByUs ? 'ours' : 'gone';
  if (blocks === from) return 'ours';
  return ext !== undefined && from < blocks && blocks < to ? 'ours' : 'not-ours';
}

/**
 * Returns the holders that block the undo: for an ext4 every holder, for a resize while mounted
 * only holders of the device.
 */
async function harmedHolders(host: ReadHost, of: ResizeUndo, path: string): Promise<readonly Holder[]> {
  return of.type === 'btrfs' || of.when !== 'now' ? theirs(host, path) : holders(host, path);
}

/** Manual recovery: shows what a resize has left, and completes it. */
function resizedRecovery(of: ResizeUndo, way: Way): ManualRecovery {
  const { device, type, uuid, blockSize, from, to, when, devid = 1 } = of;
  const isBack = way === 'back';
  const blocks = isBack ? from : to;
  const bytes = String(blocks * blockSize);
  const still = when === 'now' ? '' : ', which is done after the commit';
  const what = `the ${type} of UUID ${uuid} on ${device}: from ${String(from)} to ${String(to)} blocks of ${String(blockSize)} bytes${still}`;
  // Before the commit nothing was changed.
  const nothing = isBack && when !== 'now';
  switch (type) {
    case 'xfs':
      return {
        what,
        look: [
          ['findmnt', '--source', device],
          ['xfs_info', device],
        ],
        clear: nothing
          ? []
          : [
              ['mount', device, '/mnt'],
              ['xfs_growfs', '-D', String(blocks), '/mnt'],
              ['umount', '/mnt'],
            ],
      };
    case 'btrfs':
      return {
        what,
        look: [['btrfs', 'inspect-internal', 'dump-super', device]],
        clear: [
          ['mount', device, '/mnt'],
          ['btrfs', 'filesystem', 'resize', `${String(devid)}:${bytes}`, '/mnt'],
          ['umount', '/mnt'],
        ],
      };
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return {
        what,
        look: [['dumpe2fs', '-h', device]],
        clear: nothing
          ? []
          : [
              ['e2fsck', '-f', device],
              ['resize2fs', device, String(blocks)],
            ],
      };
  }
}
