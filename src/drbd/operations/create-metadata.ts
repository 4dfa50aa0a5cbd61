import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  deviceNode,
  holders,
  identityOf,
  locate,
  movedFrom,
  namingHolders,
  size as sizeAt,
  syncDevice,
} from '../../blockdevice/index.ts';
import { blkdiscard } from '../../blockdevice/destroy/commands.ts';
import { refuseHeld } from '../../blockdevice/in-use.ts';
import { writeBytes } from '../../blockdevice/wipe/commands.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type ManualRecovery, ParseError, RefusedError } from '../../core/errors.ts';
import { memoryOf } from '../memory.ts';
import {
  type AreaNow,
  areaNow,
  areaOf,
  bytesOf,
  bitmapOf,
  dataAt,
  savedRun,
  saveArea,
  superblockOf,
  withSize,
} from '../metadata.ts';
import { blockSize, createMd, setGeneration, writeDeviceUuid } from '../metadata-commands.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { dataSize } from '../size.ts';
import { refuseLost } from './disk.ts';
import { askedHere, configKey, resourceName } from './known-resource.ts';
import { checkContent, formatFor, volumeOf } from './new-metadata.ts';
import { randomId } from '../../core/random.ts';

const count = z.int().check(z.nonnegative());

const args = z.strictObject({
  /** Name of the resource, as in its configuration. */
  name: resourceName,
  /** The volume number; optional for a resource with one volume. */
  volume: z.exactOptional(z.int().check(z.nonnegative())),
  /**
   * The content of the device to overwrite: the uuid of DRBD metadata, or `data` for unknown bytes.
   */
  overwrite: z.exactOptional(z.array(z.string().check(z.minLength(1)))),
  /**
   * The content of the device that becomes the content of the volume: the uuid of a filesystem that
   * leaves room for metadata.
   */
  keep: z.exactOptional(z.array(z.string().check(z.minLength(1)))),
  /**
   * Number of bytes at the start of the device that are data and stay, whatever they contain. The metadata
   * must start after them.
   */
  keepBytes: z.exactOptional(z.int().check(z.positive())),
  /**
   * The data of the device is complete and has this generation: hosts with the same generation do not resync;
   * a host without a generation fetches all data. Missing: the device has no valuable data yet.
   */
  generation: z.exactOptional(
    z.strictObject({
      /** 16 hexadecimal digits, an even number. */
      // The last bit is set on the primary, and the value 4 means "just created" (drbd.h of 8.4).
      uuid: z
        .string()
        .check(z.regex(/^[0-9a-f]{14}[1-9a-f][02468ace]$/, '16 hexadecimal digits, an even number')),
      /** The node ids of the other hosts, for module 9. */
      peers: z.array(count).check(z.minLength(1)),
    }),
  ),
  /** The UUID of the new metadata, as blkid shows it: 16 hexadecimal digits. */
  uuid: z.exactOptional(
    z.string().check(z.regex(/^(?!0{16}$)[0-9a-f]{16}$/, '16 hexadecimal digits, not all 0')),
  ),
});

const undo = z.strictObject({
  name: z.string(),
  volume: count,
  minor: count,
  device: z.string(),
  identity: z.string(),
  key: z.string(),
  container: z.string(),
  size: count,
  format: z.enum(['v08', 'v09']),
  peers: count,
  /** The UUID of the new metadata, chosen before. */
  uuid: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
  area: z.strictObject({ from: count, length: count }),
  /** The previous content of the area, without blocks of zeros. */
  saved: z.array(savedRun),
  /** Whether metadata is replaced, and other content had to be named. */
  replaces: z.enum(['nothing', 'metadata']),
  content: z.enum(['blank', 'named']),
  /** Whether drbdmeta had a file for this minor under /var/lib/drbd before (see memory.ts). */
  remembered: z.boolean(),
});

export type MetadataUndo = z.infer<typeof undo>;

/**
 * Writes new metadata at the end of the device of a volume, in the format that the loaded module
 * reads. The previous content is journalled, and an undo restores it. Refused if the device has
 * data (unless the caller names it and it leaves room), has metadata (unless named), or is in use.
 */
export const createMetadata = operation({
  kind: 'drbd.metadata.create',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: asked, host, chosen }): Promise<MetadataUndo> => {
    const found = await askedHere(host, asked.name);
    const { volume, minor, disk: device } = volumeOf(found, asked.volume);
    const then = `bofh drbd ${found.state === undefined ? 'up' : 'attach'} ${asked.name}`;
    await refuseLost(host, { name: asked.name, disk: device, then });
    const format = await formatFor(host);
    const { key, container, identity } = await identityOf(host, device);
    await refuseHeld(host, device, await holders(host, device));
    const size = await sizeAt(host, device);
    const peers = Math.max(1, (found.configured?.hosts.length ?? 2) - 1);
    const shape = { peers: format === 'v08' ? 1 : peers };
    const from = dataSize(size, shape);
    const content = await checkContent(host, { ...asked, device, from });
    const area = areaOf(size, shape);
    return {
      ...{
        name: asked.name,
        volume,
        minor,
        device,
        identity,
        key,
        container,
        size,
        format,
        area,
        ...content,
      },
      peers: shape.peers,
      uuid: asked.uuid ?? chosen?.uuid ?? newUuid(),
      saved: [...(await saveArea(host, device, area))],
      remembered: (await host.stat(memoryOf(minor))) !== undefined,
    };
  },
  claims: async ({ undo: { name, device }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`metadata:${key}`], changes: [key], needs: [configKey(name), ...beneath] };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ args: { generation }, undo: of, host }) => {
    const found = await find(host, of);
    if (found?.path !== of.device || found.now !== 'as it was')
      throw new RefusedError(`${of.device} has changed; nothing was written`, {
        remedy: `see what it holds: wipefs ${of.device}; then run the command again`,
      });
    const { path: device } = await deviceNode(host, of.device);
    await refuseHeld(host, device, await holders(host, device));
    // create-md would convert existing metadata of the other format, so it is erased first.
    if (of.replaces === 'metadata')
      await host.run(writeBytes(device, { offset: superblockOf(of.area), bytes: new Uint8Array(blockSize) }));
    const at = { minor: of.minor, format: of.format, device };
    await namingHolders(host, device, () => host.run(createMd(at, of)));
    await host.run(writeDeviceUuid(at, of.uuid));
    if (generation !== undefined) await writeGeneration(host, { of, device, generation });
    if ((await find(host, of))?.now !== 'ours')
      throw new ParseError(`drbdmeta reported success, but there is no metadata on ${of.device}`);
    return null;
  },
  value: ({ undo: { volume, minor, device, uuid, format, area } }) => ({
    ...{ volume, minor, device, uuid, format, dataSize: area.from },
  }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await find(host, of);
    if (found === undefined || found.now === 'as it was') return { state: 'gone' };
    if (found.now === 'something else')
      return {
        state: 'not-ours',
        found:
          found.size === of.size
            ? `another program wrote to the area of ${found.path} where the metadata should be`
            : otherSize(found, of),
      };
    const moved = await movedFrom(host, found.path, of.key);
    const who = await holders(host, found.path);
    return { state: 'ours', holders: who, ...moved };
  },
  revert: async ({ undo: of, host }) => {
    const found = await find(host, of);
    if (found?.now !== 'ours' && found?.now !== 'begun') return;
    await refuseHeld(host, found.path, await holders(host, found.path));
    await putBack(host, (await deviceNode(host, found.path)).path, of);
  },
  // With older metadata over data of a newer generation, the peer would assume that nothing has changed.
  content: {
    lost: 'undone',
    of: 'device',
    witness: ({ undo: of, host }) => generationOf(host, of),
    changed: async ({ undo: of, witness, touched, host }) => {
      const now = touched || witness === undefined ? undefined : await generationOf(host, of);
      if (now === undefined || now === witness) return undefined;
      return {
        found: `${of.device} now has data of the generation ${now}; before, it had the generation ${String(witness)}`,
      };
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: metadataRecovery,
});

async function writeGeneration(
  host: ChangeHost,
  how: {
    readonly of: MetadataUndo;
    readonly device: string;
    readonly generation: { readonly uuid: string; readonly peers: readonly number[] };
  },
): Promise<void> {
  const { of, device, generation } = how;
  const { uuid, peers } = generation;
  const { area } = of;
  await host.run(blkdiscard(device, 'zero', { ...bitmapOf(area), size: area.length }));
  for (const peer of of.format === 'v09' ? peers : [undefined])
    await host.run(setGeneration({ minor: of.minor, format: of.format, device }, { uuid, peer }));
  // Without a size the module treats all blocks as new, and every bit as out of sync, when it
  // attaches (drbd_nl.c of 8.4).
  const made = await dataAt(host, { device, area });
  if (made?.generation === uuid)
    await host.run(
      writeBytes(device, { offset: superblockOf(area), bytes: withSize(made.block, area.from) }),
    );
  const now = await dataAt(host, { device, area });
  if (now?.generation !== uuid || now.size !== area.from)
    throw new ParseError(`drbdmeta reported success, but ${of.device} does not have the generation ${uuid}`);
}

async function generationOf(host: ReadHost, of: MetadataUndo): Promise<string | undefined> {
  const found = await find(host, of);
  if (found?.now !== 'ours') return undefined;
  const { path: device } = await deviceNode(host, found.path);
  return (await dataAt(host, { device, area: of.area }))?.generation ?? 'none';
}

function newUuid(): string {
  return randomId(8).toString('hex');
}

async function find(
  host: ReadHost,
  of: MetadataUndo,
): Promise<{ readonly path: string; readonly size: Bytes; readonly now: AreaNow } | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const size = await sizeAt(host, path);
  if (size !== of.size) return { path, size, now: 'something else' };
  const { path: device } = await deviceNode(host, path);
  return { path, size, now: await areaNow(host, { ...of, device }) };
}

/** The text for a device that was resized: its metadata is no longer at its end. */
export function otherSize(
  { path, size }: { readonly path: string; readonly size: Bytes },
  { size: was }: { readonly size: Bytes },
): string {
  return `${path} has ${formatSize(size)} now, and had ${formatSize(was)}: the place of its metadata is unknown`;
}

/**
 * Restores the former bytes. Writes the superblock last, because it proves that this sequence
 * created the metadata.
 */
async function putBack(host: ChangeHost, device: string, of: MetadataUndo): Promise<void> {
  const last = superblockOf(of.area);
  const length = last - of.area.from;
  await host.run(blkdiscard(device, 'zero', { offset: of.area.from, length, size: length }));
  let superblock = new Uint8Array(blockSize);
  for (const run of of.saved) {
    const bytes = bytesOf(run);
    const rest = run.at + bytes.length > last ? bytes.subarray(0, last - run.at) : bytes;
    if (rest.length < bytes.length) superblock = Uint8Array.from(bytes.subarray(rest.length));
    if (rest.length > 0) await host.run(writeBytes(device, { offset: run.at, bytes: rest }));
  }
  if (!of.remembered && (await host.stat(memoryOf(of.minor))) !== undefined)
    await host.removeFile(memoryOf(of.minor));
  await host.run(writeBytes(device, { offset: last, bytes: superblock }));
}

/** Manual recovery. The commands remove the metadata; only the journal has the overwritten bytes. */
function metadataRecovery({ undo }: { readonly undo: MetadataUndo }): ManualRecovery {
  const { device, minor, format, uuid, area, saved } = undo;
  const what = `the metadata of DRBD ${uuid} at the end of ${device}`;
  const range = ['--offset', String(area.from), '--length', String(area.length)];
  return {
    what: saved.length === 0 ? what : `${what}, whose ${String(area.length)} bytes were not blank before`,
    look: [
      ['wipefs', device],
      ['drbdmeta', String(minor), format, device, 'internal', 'dump-md'],
    ],
    clear: [['blkdiscard', '--zeroout', ...range, device]],
  };
}
