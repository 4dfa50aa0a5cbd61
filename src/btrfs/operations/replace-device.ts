import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import {
  checkOverwrite,
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  overwriteSchema,
  recognise,
  refuseHeld,
  sameContent,
  signatureSchema,
  size,
  wipeSignatures,
} from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError } from '../../core/errors.ts';
import { checkDevice } from '../../filesystem/index.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { formatSize } from '../../core/units.ts';
import { filesystemDevices, replaceStart, replaceWait } from '../device-commands.ts';
import { isMember, membersOf, refuseCopy, refuseExclusive, refuseReadOnly } from '../devices.ts';
import { anyRoot, placeOf } from '../place.ts';
import { filesystemUsage } from '../usage-commands.ts';
import { edgesChanged, edgesWitness } from './device-edges.ts';
import { deviceClaims, knownDevice, syncDevice } from './member.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(knownDevice, {
  /** The devid of the old device. */
  devid: z.int(),
  /**
   * UUID of the old device, which another device with its devid would not have; null: the device is
   * missing.
   */
  uuid: z.nullable(z.string()),
  /** Path and key of the old device; null: it is missing. */
  old: z.nullable(z.strictObject({ path: z.string(), key: z.string() })),
  /** Previous content of the new device; null: it was blank. */
  before: z.nullable(signatureSchema),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.replaceDevice`: replaces a device that is failing, or missing (then named by devid).
 * Runs after the commit, because an undo would copy everything again, onto a device that should be
 * removed. The kernel copies without bofh, also after a power cut: recovery waits for the end.
 */
export const replaceDevice = deferred({
  kind: 'btrfs.device.replace',
  version: 1,
  args: z.strictObject({
    /** Any path on the filesystem. */
    path: z.string(),
    /** The path of the device, or its devid. */
    device: z.union(
      [z.string().check(z.minLength(1)), z.int().check(z.positive())],
      'must be a path, or a devid',
    ),
    /** The device that replaces it: blank, and not smaller. */
    by: z.string().check(z.minLength(1)),
    /** UUID, or type, of the content of `by` to overwrite. */
    overwrite: z.exactOptional(overwriteSchema),
  }),
  undo,
  prepare: async ({ args: { path, device, by, overwrite }, host, chosen }) => {
    checkOverwrite(overwrite);
    const { fs, mount } = await placeOf(host, path);
    const mounted = mount.path;
    refuseReadOnly(mount);
    const { bytes, ...gone } = await theOld(host, { fs, mounted, device });
    await refuseExclusive(host, { fs, mounted });
    const args = { device: by, type: 'btrfs', ...present({ overwrite }) } as const;
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await checkDevice(host, { args, when });
    refuseCopy(by, { fs, before });
    await refuseFullBeneath(host, by, `the copy to ${by}`);
    const room = await size(host, by);
    if (room < bytes)
      throw new RefusedError(
        `${by} has only ${formatSize(room)}; the device that it replaces has ${formatSize(bytes)}`,
        {
          remedy: `use a larger device; or shrink the filesystem on the old one: btrfs filesystem resize ${String(gone.devid)}:${String(room)} ${mounted}`,
        },
      );
    const { identity, key } = await identityOf(host, by);
    const known = { fs, source: mount.source, mounted, device: by, identity, key };
    return { ...known, ...gone, before: before ?? null };
  },
  claims: async ({ undo: of, on }) => {
    const { changes = [], needs = [] } = await deviceClaims(of, on);
    const all = [...changes, ...(of.old === null ? [] : [of.old.key])];
    return { changes: all, needs: needs.filter((key) => !all.includes(key)) };
  },
  look: ({ undo: of, host }) => look(host, of),
  afterCommit: async ({ undo: of, host }) => {
    const path = await locate(host, { path: of.device, identity: of.identity });
    if (path === undefined || (await look(host, of)).state !== 'ours') return;
    const root = await anyRoot(host, of.fs);
    if (await isMember(host, { fs: of.fs, device: path })) await host.run(replaceWait(root));
    else await replace(host, of, { path, root });
  },
  content: {
    lost: 'finished',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const path = await locate(host, { path: of.device, identity: of.identity });
      return path === undefined ? undefined : edgesWitness(host, path);
    },
    changed: async ({ undo: of, witness, host }) => {
      const path = await locate(host, { path: of.device, identity: of.identity });
      if (path === undefined || witness === undefined) return undefined;
      const now = await recognise(host, path);
      // The kernel has begun to copy.
      if (now?.type === 'btrfs' && now.uuid === of.fs) return undefined;
      return edgesChanged(host, path, { witness, wiped: of.before !== null && now === undefined });
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { fs, mounted, devid, old, device } }) => ({
    what: `the device ${devid} (${old?.path ?? 'which is missing'}) of the btrfs ${fs} on ${mounted}, which ${device} will replace`,
    look: [
      ['btrfs', 'filesystem', 'show', mounted],
      ['btrfs', 'replace', 'status', '-1', mounted],
    ],
    clear: [['btrfs', 'replace', 'start', '-B', String(devid), device, mounted]],
  }),
});

interface Old extends Pick<Undo, 'devid' | 'uuid' | 'old'> {
  /** Bytes of the device that the filesystem uses. */
  readonly bytes: number;
}

async function theOld(
  host: ReadHost,
  { fs, mounted, device }: Pick<Undo, 'fs' | 'mounted'> & { readonly device: string | number },
): Promise<Old> {
  if (typeof device === 'string' && !(await isMember(host, { fs, device }))) throw noDevice(device, mounted);
  const members = await membersOf(host, fs);
  for (const { path, devid, deviceUuid: uuid, size: bytes } of members) {
    const isIt =
      typeof device === 'number'
        ? devid === device
        : (await deviceNode(host, path)).number === (await deviceNode(host, device)).number;
    if (isIt) return { devid, uuid, old: { path, key: (await identityOf(host, path)).key }, bytes };
  }
  const root = await anyRoot(host, fs);
  const known = await host.run(filesystemDevices(root));
  const missing = known.find(({ devid, path }) => devid === device && path === undefined);
  if (missing === undefined) throw noDevice(String(device), mounted);
  // btrfs reports only the size of all missing devices together.
  return {
    devid: missing.devid,
    uuid: null,
    old: null,
    bytes: (await host.run(filesystemUsage(root))).missing,
  };
}

function noDevice(device: string, mounted: string): RefusedError {
  return new RefusedError(`${device} is not a device of the btrfs on ${mounted}`, {
    remedy: `see its devices: bofh btrfs device list ${mounted}`,
  });
}

// Returns the state. While the kernel copies, the new device has devid 0; at the end it has the
// devid of the old one.
async function look(host: ReadHost, of: Undo): Promise<Look> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { state: 'not-ours', found: `${of.device} is gone` };
  const members = await membersOf(host, of.fs);
  const { number } = await deviceNode(host, path);
  for (const member of members) {
    if ((await deviceNode(host, member.path)).number !== number) continue;
    return { state: member.devid === 0 ? 'ours' : 'gone' };
  }
  const now = await recognise(host, path);
  const isLeft = now?.type === 'btrfs' && now.uuid === of.fs;
  if (now !== undefined && !isLeft && !sameContent(now, of.before ?? undefined))
    return { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` };
  const isThere = members.some(({ deviceUuid }) => deviceUuid === of.uuid);
  if (of.uuid === null || isThere) return { state: 'ours' };
  return { state: 'not-ours', found: `the device ${of.devid} of the btrfs on ${of.mounted} is gone` };
}

async function replace(
  host: ChangeHost,
  of: Undo,
  { path, root }: { readonly path: string; readonly root: string },
): Promise<void> {
  const { path: target } = await deviceNode(host, path);
  await refuseHeld(host, target, await holders(host, target));
  await refuseExclusive(host, of);
  if ((await recognise(host, target)) !== undefined) await host.run(wipeSignatures(target));
  try {
    await host.run(replaceStart({ devid: of.devid, target, path: root }));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'no-space') throw error;
    // Each block group is read-only while it is copied, so writes meanwhile need another one.
    throw new RefusedError(`the btrfs on ${of.mounted} is too full to replace a device`, {
      cause: error,
      remedy: `delete data that is no longer needed, or free some space: btrfs balance start -dusage=50 ${of.mounted}; then: bofh recover`,
    });
  }
}
