import * as z from 'zod/mini';
import { type Changed, type Look, operation } from '../atomic/operation.ts';
import {
  bootOfName,
  deviceWitness,
  holders,
  identityOf,
  isMountedForWriting,
  locate,
  movedFrom,
  namingHolders,
  probe,
  probeFile,
  refuseChanged,
  refuseHeld,
  replaceable,
  size,
  syncDevice,
  wipeSignatures,
} from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { formatSize } from '../core/units.ts';
import { refuseFullBeneath, watchingRoom } from '../lvm/index.ts';
import { imageCompare, imageConvert, imageFormats } from './image-commands.ts';
import { imageSource, readUnchanged, refuseReplaced } from './image-source.ts';

const args = z.strictObject({
  /** Absolute path of an unused image file, or of an unused block device. */
  source: z.string().check(z.startsWith('/')),
  /** How the bytes of the source are stored: `raw` or `qcow2`; a block device is `raw`. */
  format: z.enum(imageFormats),
  /**
   * Number of the single partition to copy (default: the whole disk). Not allowed for a block
   * device.
   */
  partition: z.exactOptional(z.int().check(z.positive())),
  /** The blank target device, at least as large as the copied part. */
  device: z.string().check(z.minLength(1)),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** Key of the device at that time. If it has another one now, it got another name. */
  key: z.string(),
  /** Key of the device whose removal also removes the copy. */
  container: z.string(),
  /** The boot, if the device is known only by a kernel name of that boot. */
  boot: z.exactOptional(z.string()),
  source: z.strictObject({
    path: z.string(),
    format: z.enum(imageFormats),
    from: z.enum(['file', 'device']),
    identity: z.string(),
    bytes: z.int().check(z.nonnegative()),
    partition: z.exactOptional(
      z.strictObject({
        number: z.int(),
        from: z.int().check(z.positive()),
        bytes: z.int().check(z.positive()),
      }),
    ),
  }),
});

type Undo = z.infer<typeof undo>;

/**
 * Number of first bytes to compare. Every program that formats a device, or mounts its filesystem
 * for writing, writes to them.
 */
const headBytes = 128 * 1024;

/**
 * `tx.copy.image`: copies the disk in an image, or another block device, onto a blank device.
 * Refuses content that blkid does not know. For a qcow2 image or a partition it can check that only
 * after the copy; the copied bytes then stay.
 *
 * The identity of the device proves the step: the device was blank, so all its content was written
 * later. Undo leaves the device blank again (`restores: 'existence'`).
 */
export const image = operation({
  kind: 'copy.image',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: { source: path, device, ...of }, host, chosen }): Promise<Undo> => {
    const source = await imageSource(host, { path, ...of, known: chosen?.source });
    if (chosen === undefined) await refuseUnknown(host, source);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const unfit = async (): Promise<void> => refuseSmall(device, await size(host, device), source);
    await replaceable(host, { device, overwrite: undefined, when, unfit });
    await refuseFullBeneath(host, device, `the copy of ${path} onto ${device}`);
    const { identity, key, container } = await identityOf(host, device);
    const boot = await bootOfName(host, identity);
    return { device, identity, key, container, ...present({ boot }), source };
  },
  claims: async ({ undo: { device, source }, on }) => {
    const { key, beneath } = await on(device);
    const from = source.from === 'file' ? undefined : await on(source.path);
    const read = from === undefined ? [`file:${source.path}`] : [from.key, ...from.beneath];
    // The new content has a key of its own: the device is not blank any more.
    return { makes: [`copy:${key}`], changes: [key], needs: [...new Set([...beneath, ...read])] };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ undo: { source, ...of }, host }) => {
    await refuseChanged(host, { ...of, before: null });
    await refuseReplaced(host, source);
    const { path, format, from, partition: part } = source;
    const { device } = of;
    await readUnchanged(host, path, async () => {
      await watchingRoom(host, { devices: [device], what: `the copy of ${path} onto ${device}` }, (signal) =>
        host.run({ ...imageConvert({ source: path, format, from, part, device }), signal }),
      );
      await refuseReplaced(host, source);
    });
    if ((await probe(host, device)) === undefined) throw unrecognised(source, device);
    return null;
  },
  value: ({ undo: { device, source } }) => ({ device, bytes: source.bytes }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { path, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => host.run(wipeSignatures(path)));
  },
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const { path } = await find(host, of);
      return path === undefined ? undefined : deviceWitness(host, path);
    },
    changed: async ({ undo: of, witness, touched, host }) => {
      const { path, look } = await find(host, of);
      // Later steps of the sequence have changed the bytes.
      if (path === undefined || look.state !== 'ours' || touched) return undefined;
      if (await isMountedForWriting(host, path))
        return { found: `${path} is mounted for writing, so it is unknown whether others wrote to it` };
      if (witness === undefined) return comparedWithSource(host, path, of);
      const isSame = (await deviceWitness(host, path)) === witness;
      return isSame ? undefined : { found: `others wrote to ${path}`, fromBytes: true };
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { device, source } }) => ({
    what: `the copy of ${source.path} on ${device}, which was blank before`,
    look: [['blkid', '--probe', device]],
    clear: [['wipefs', '--all', device]],
  }),
});

/**
 * Whether blkid can probe the source. For a qcow2 image and for a partition of an image it can
 * probe only the copy.
 */
const canProbeSource = ({ format, partition }: Undo['source']): boolean =>
  format === 'raw' && partition === undefined;

/** The error for a device that seems blank after the copy. */
function unrecognised(source: Undo['source'], device: string): RefusedError {
  const { path } = source;
  return canProbeSource(source)
    ? new RefusedError(`qemu-img reported success, but ${device} holds nothing that blkid knows`, {
        remedy: 'see the kernel log: dmesg; then run the command again',
      })
    : new RefusedError(
        `${path} has no content that blkid knows; this was unknown before the copy, and the copied bytes stay on ${device}`,
        { remedy: `make ${device} blank again: bofh block zero ${device} --overwrite blank` },
      );
}

/**
 * RefusedError for unknown content. It cannot be distinguished from a blank device, so the undo
 * would not find the copy.
 */
async function refuseUnknown(host: ReadHost, source: Undo['source']): Promise<void> {
  const { path, from } = source;
  if (!canProbeSource(source)) return;
  const found = await (from === 'device' ? probe(host, path) : probeFile(host, path));
  if (found !== undefined) return;
  throw new RefusedError(`${path} has no content that blkid knows, so an undo could not recognise the copy`, {
    remedy: `see what it holds: blkid --probe ${path}`,
  });
}

function refuseSmall(device: string, room: number, { path, bytes }: Undo['source']): void {
  if (bytes <= room) return;
  throw new RefusedError(`${path} has ${formatSize(bytes)}, but ${device} only ${formatSize(room)}`, {
    code: 'no-space',
    remedy: 'use a larger device',
  });
}

/**
 * Checks whether the device begins like its source after an interrupted copy, which is written in
 * order.
 */
async function comparedWithSource(
  host: ChangeHost,
  path: string,
  { source }: Undo,
): Promise<Changed | undefined> {
  await refuseReplaced(host, source);
  const { path: from, format, partition: part } = source;
  const at = await host.run(imageCompare({ source: from, format, part, device: path }));
  if (at === undefined || at >= Math.min(headBytes, source.bytes)) return undefined;
  return { found: `${path} does not begin as ${from} does`, fromBytes: true };
}

async function find(host: ReadHost, of: Undo): Promise<{ readonly path?: string; readonly look: Look }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined || (await probe(host, path)) === undefined) return { look: { state: 'gone' } };
  if (of.boot !== undefined && of.boot !== (await host.facts()).boot)
    throw new RefusedError(
      `${of.device} has no serial number: it is unknown whether it is still the same disk`,
      { remedy: `see what it holds: blkid -p ${of.device}` },
    );
  const moved = await movedFrom(host, path, of.key);
  return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
}
