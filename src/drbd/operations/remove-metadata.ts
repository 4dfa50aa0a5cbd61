import * as z from 'zod/mini';
import { writeBytesWords } from '../../blockdevice/wipe/write-bytes.ts';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  deviceNode,
  holders,
  identityOf,
  locate,
  movedFrom,
  partWitness,
  reachOf,
  size as sizeAt,
  syncDevice,
} from '../../blockdevice/index.ts';
import { dropCache } from '../../blockdevice/commands.ts';
import { refuseHeld } from '../../blockdevice/in-use.ts';
import { writeBytes } from '../../blockdevice/wipe/commands.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type ManualRecovery, ParseError, RefusedError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { bytesOf, deviceUuidIn, savedBlock, savedRun } from '../metadata.ts';
import { blocksAt, blockSize } from '../metadata-commands.ts';
import { otherSize } from './create-metadata.ts';
import { askedHere, configKey, resourceName } from './known-resource.ts';
import { volumeOf } from './new-metadata.ts';

const count = z.int().check(z.nonnegative());
const uuid = z.string().check(z.regex(/^[0-9a-f]{16}$/, '16 hexadecimal digits, as blkid shows them'));

const undo = z.strictObject({
  name: z.string(),
  volume: count,
  device: z.string(),
  identity: z.string(),
  key: z.string(),
  container: z.string(),
  size: count,
  uuid,
  /** The superblock. Without it, DRBD does not recognise the rest as metadata. */
  superblock: savedRun,
});

export type RemovedMetadataUndo = z.infer<typeof undo>;

type Now = 'there' | 'gone' | 'something else';

/**
 * Removes the metadata of a volume from its device: writes zeros over the superblock. After that the data
 * before it is the content of the device. The superblock is journalled, and an undo restores it. Refused
 * while the volume is up or the device is in use.
 */
export const removeMetadata = operation({
  kind: 'drbd.metadata.remove',
  version: 1,
  args: z.strictObject({
    /** Name of the resource, as in its configuration. */
    name: resourceName,
    /** The volume number; optional for a resource with one volume. */
    volume: z.exactOptional(count),
    /** UUID of the metadata, as blkid shows it. */
    uuid,
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { name, volume: asked, uuid: meant }, host }) => {
    const { volume, disk: device } = volumeOf(await askedHere(host, name), asked);
    const { key, container, identity } = await identityOf(host, device);
    await refuseHeld(host, device, await holders(host, device));
    const size = await sizeAt(host, device);
    const at = superblockAt(size);
    const block = await blockAt(host, (await deviceNode(host, device)).path, at);
    const found = block === undefined ? undefined : deviceUuidIn(block);
    if (block === undefined || found !== meant)
      throw new RefusedError(
        found === undefined
          ? `${device} has no metadata of DRBD at its end; nothing was written`
          : `the metadata on ${device} has the uuid ${found}, not ${meant}; nothing was written`,
        { remedy: `see what it holds: wipefs ${device}` },
      );
    const superblock = savedBlock(at, block);
    return { name, volume, device, identity, key, container, size, uuid: meant, superblock };
  },
  claims: async ({ undo: { name, device }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [key], needs: [configKey(name), ...beneath] };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ undo: of, host }) => {
    const found = await find(host, of);
    if (found?.path !== of.device || found.now !== 'there')
      throw new RefusedError(`${of.device} has changed; nothing was written`, {
        remedy: `see what it holds: wipefs ${of.device}; then run the command again`,
      });
    await write(host, of, new Uint8Array(blockSize));
    if ((await find(host, of))?.now !== 'gone')
      throw new ParseError(`dd says that it has written to ${of.device}, but the metadata is still there`);
    return null;
  },
  value: ({ undo: { volume, device, uuid: gone } }) => ({ volume, device, uuid: gone }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await find(host, of);
    if (found === undefined || found.now === 'there') return { state: 'gone' };
    if (found.now === 'something else')
      return {
        state: 'not-ours',
        found:
          found.size === of.size
            ? `${found.path} was written to where its metadata was`
            : otherSize(found, of),
      };
    const moved = await movedFrom(host, found.path, of.key);
    const who = await holders(host, found.path);
    return { state: 'ours', holders: who, ...moved };
  },
  revert: async ({ undo: of, host }) => {
    const found = await find(host, of);
    if (found?.now === 'gone') await write(host, { ...of, device: found.path }, bytesOf(of.superblock));
  },
  // The metadata would overwrite content that has grown to the end of the device since. It also has
  // the generation of the older data: the peer would assume that nothing has changed, whoever
  // wrote.
  content: {
    lost: 'undone',
    of: 'device',
    once: true,
    witness: ({ undo: of, host }) => dataWitness(host, of),
    changed: async ({ undo: of, witness, host }) => {
      const now = witness === undefined ? undefined : await dataWitness(host, of);
      if (witness === undefined || now === undefined) return undefined;
      const [was, is] = [partsOf(witness), partsOf(now)];
      if (was.reach !== is.reach) return { found: `${of.device} now has ${is.reach}, and had ${was.reach}` };
      if (was.ends === undefined || was.ends === is.ends) return undefined;
      return {
        found: `${of.device} was written to after its metadata was removed: with the metadata, DRBD would not send that to the peer`,
      };
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: removedMetadataRecovery,
});

/** The last whole block of a device (v07_style_md_get_byte_offset of drbdmeta.c 9.22). */
function superblockAt(size: Bytes): Bytes {
  return (Math.floor(size / blockSize) - 1) * blockSize;
}

async function blockAt(host: ReadHost, device: string, at: Bytes): Promise<Uint8Array | undefined> {
  // DRBD writes past the page cache.
  await host.run(dropCache(device));
  return (await host.run(blocksAt(device, { from: at, count: blockSize }))).get(at);
}

/** Writes the superblock, but never while the device is in use. */
async function write(
  host: ChangeHost,
  { device, superblock }: Pick<RemovedMetadataUndo, 'device' | 'superblock'>,
  bytes: Uint8Array,
): Promise<void> {
  await refuseHeld(host, device, await holders(host, device));
  await host.run(writeBytes((await deviceNode(host, device)).path, { offset: superblock.at, bytes }));
}

/**
 * A witness of the data of the device: how far it reaches, and what is at its start and before the
 * metadata.
 */
async function dataWitness(host: ReadHost, of: RemovedMetadataUndo): Promise<string | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const reach = await reachOf(host, path);
  const ends = await partWitness(host, path, { from: 0, to: of.superblock.at });
  return `${reach === undefined ? 'nothing known' : `${reach.type} of ${String(reach.bytes)} bytes`}; ${ends}`;
}

/** The parts of a witness; that of an older bofh has no ends. */
function partsOf(witness: string): { readonly reach: string; readonly ends: string | undefined } {
  const [reach = '', ends] = witness.split('; ');
  return { reach, ends };
}

async function find(
  host: ReadHost,
  of: RemovedMetadataUndo,
): Promise<{ readonly path: string; readonly size: Bytes; readonly now: Now } | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const size = await sizeAt(host, path);
  if (size !== of.size) return { path, size, now: 'something else' };
  const block = await blockAt(host, (await deviceNode(host, path)).path, of.superblock.at);
  if (block === undefined) return { path, size, now: 'gone' };
  return { path, size, now: bytesOf(of.superblock).equals(block) ? 'there' : 'something else' };
}

/** Manual recovery of removed metadata. The bytes after it were zeros, and still are. */
function removedMetadataRecovery({ undo }: { readonly undo: RemovedMetadataUndo }): ManualRecovery {
  const { device, uuid, superblock } = undo;
  const bytes = bytesOf(superblock);
  const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return {
    what: `the metadata of DRBD ${uuid}, which was removed from the end of ${device}`,
    look: [['wipefs', device]],
    clear: [writeBytesWords(device, superblock.at, bytes.subarray(0, length))],
  };
}
