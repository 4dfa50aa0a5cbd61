import { posix } from 'node:path';
import {
  deviceNode,
  identityOf,
  isWithoutMedium,
  oneLook,
  probeTogether,
  recognise,
  refuseUnread,
  type Signature,
} from '../blockdevice/index.ts';
import { blkidProbe, readsAsBlank } from '../blockdevice/commands.ts';
import { kernelText } from '../blockdevice/node.ts';
import { inShell, namesIn, type ReadHost } from '../command/index.ts';
import { CommandError, ParseError, RefusedError, UsageError } from '../core/errors.ts';
import { turns } from '../host/turns.ts';
import { type Luks2Metadata, luks2MetadataAt } from './luks2.ts';
import { cryptStatus, luks2Header as luks2HeaderIn, luksDump1, testKey } from './read-commands.ts';
import type { HeaderPart, LuksHeader, Mapping, MappingStatus } from './schema.ts';
import { checkText } from '../core/checks.ts';
import { reasonIn } from '../core/reason.ts';
import { present } from '../core/present.ts';

/** An encrypted device, open or not. */
export interface LuksDevice {
  /** `/dev/mapper/vg0-web1`, `/dev/sdb1` */
  readonly device: string;
  /** Its key in bofh: `lv:vg0/web1`. */
  readonly key: string;
  readonly uuid: string;
  readonly label?: string;
  /** The mapping, if it is open. */
  readonly mapping?: Mapping;
}

/** A device that may be encrypted but cannot be read. */
export interface UnreadableDevice {
  readonly device: string;
  /** Reason, as text. */
  readonly why: string;
}

/** The result for every device of a host. */
export interface LuksScan {
  readonly devices: readonly LuksDevice[];
  readonly unreadable: readonly UnreadableDevice[];
}

/** Whether the content of a device is LUKS. */
export function isLuksSignature(
  found: Signature | undefined,
): found is Signature & { readonly uuid: string } {
  return found?.type === 'crypto_LUKS' && found.uuid !== undefined;
}

/**
 * Reads the header of an encrypted device, or of a file with one. RefusedError if there is none,
 * CommandError `not-found` if there is no device.
 */
export async function headerOf(host: ReadHost, device: string): Promise<LuksHeader> {
  const { path, found } = await contentOf(host, device);
  if (found === undefined && (await host.stat(path))?.kind === 'block') await host.run(readsAsBlank(path));
  if (!isLuksSignature(found))
    throw new RefusedError(
      `${device} is not a LUKS device: ${found === undefined ? 'nothing is on it' : `it holds ${found.type}`}`,
      {
        remedy: 'for a detached header, name its file; to see the encrypted devices: bofh crypt list',
      },
    );
  const metadata = await luks2MetadataAt(host, path);
  if (metadata === 'damaged')
    throw new DamagedHeader(`both copies of the LUKS2 header of ${device} are damaged`, {
      remedy: `restore a backup of the header: cryptsetup luksHeaderRestore ${inShell(device)} --header-backup-file FILE`,
    });
  const header = metadata === 'other' ? await host.run(luksDump1(path)) : luks2Header(device, metadata);
  const { uuid, label } = found;
  if ((header.uuid ?? uuid) !== uuid)
    throw new ParseError(
      `blkid reports the uuid ${uuid} for ${device}, but cryptsetup reports ${header.uuid ?? ''}`,
    );
  return { ...header, uuid, ...present({ label }) };
}

/** A header without a valid copy. */
export class DamagedHeader extends RefusedError {}

function luks2Header(device: string, { text, damagedCopy }: Luks2Metadata): HeaderPart {
  try {
    return { ...luks2HeaderIn(text), ...present({ damagedCopy }) };
  } catch (error) {
    throw new ParseError(`the LUKS2 header of ${device} could not be parsed: ${reasonIn(error)}`, {
      cause: error,
    });
  }
}

/**
 * RefusedError for a LUKS2 header with a damaged copy: every command of cryptsetup that reads the
 * device would repair the copy. Therefore call this before every use of cryptsetup, except for a
 * wanted repair.
 */
export async function refuseDamaged(host: ReadHost, device: string): Promise<void> {
  const { found, path } = await contentOf(host, device);
  const metadata = isLuksSignature(found) ? await luks2MetadataAt(host, path) : 'other';
  const damaged = typeof metadata === 'object' ? metadata.damagedCopy : undefined;
  if (damaged !== undefined) throw damagedCopy(device, damaged);
}

/** The error for a header with a damaged copy. */
export function damagedCopy(device: string, copy: 'first' | 'second'): RefusedError {
  return new RefusedError(
    `the ${copy} copy of the LUKS2 header of ${device} is damaged, and cryptsetup would overwrite it; nothing was written`,
    {
      remedy: `save a copy of the header (dd if=${inShell(device)} of=FILE bs=1M count=16), then repair it: cryptsetup repair ${inShell(device)}`,
    },
  );
}

/** Returns the content of a device or a file: blkid probes both in the same way. */
export async function contentOf(
  host: ReadHost,
  path: string,
): Promise<{ readonly path: string; readonly found: Signature | undefined }> {
  checkText('the device', path);
  if (path.startsWith('/') && (await host.stat(path))?.kind === 'file')
    return { path, found: await host.run(blkidProbe(path)) };
  const found = await recognise(host, path);
  return { path: (await deviceNode(host, path)).path, found };
}

/**
 * Returns every open encrypted device, and every other mapping of cryptsetup, by name. Reads only
 * data of the kernel.
 */
export async function mappings(host: ReadHost): Promise<readonly Mapping[]> {
  const blocks = await namesIn(host, '/sys/block');
  const all = await Promise.all(
    blocks.map(async (block) => {
      const sys = `/sys/block/${block}`;
      const dmUuid = await kernelText(host, `${sys}/dm/uuid`);
      return dmUuid?.startsWith('CRYPT-') === true ? [await mappingAt(host, sys, dmUuid)] : [];
    }),
  );
  return all.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the mapping with a name, or with a path that leads to it; undefined: there is none. */
export async function mappingNamed(host: ReadHost, name: string): Promise<Mapping | undefined> {
  const wanted = nameIn(name);
  return (await mappings(host)).find((mapping) => mapping.name === wanted);
}

/** `/dev/mapper/NAME` or NAME. */
function nameIn(text: string): string {
  checkText('the name of the mapping', text);
  const name = text.startsWith('/dev/mapper/') ? text.slice('/dev/mapper/'.length) : text;
  if (name === '' || name.includes('/'))
    throw new UsageError(`"${text}" is not a name of an open device`, {
      remedy: 'see them: bofh crypt list',
    });
  return name;
}

// dm/uuid has the format of cryptsetup 2.6 (lib/libdevmapper.c, dm_prepare_uuid):
// CRYPT-TYPE-[UUID-]NAME.
const uuidOfMapping = /^CRYPT-(?<type>[A-Z0-9]+)-(?:(?<hex>[0-9a-f]{32})-)?.*$/s;
const hyphens = /^(?<a>.{8})(?<b>.{4})(?<c>.{4})(?<d>.{4})(?<e>.{12})$/;

async function mappingAt(host: ReadHost, sys: string, dmUuid: string): Promise<Mapping> {
  const text = async (file: string): Promise<string> => {
    const value = await kernelText(host, `${sys}/${file}`);
    if (value === undefined) throw new ParseError(`${sys} has no ${file}`);
    return value;
  };
  const name = await text('dm/name');
  const { type, hex } = uuidOfMapping.exec(dmUuid)?.groups ?? {};
  if (type === undefined)
    throw new ParseError(
      `the mapping ${name} has the device-mapper uuid "${dmUuid}", not one of the form CRYPT-TYPE-NAME`,
    );
  const size = Number(await text('size')) * 512;
  if (!Number.isSafeInteger(size)) throw new ParseError(`the mapping ${name} has no size`);
  const uuid = hex?.replace(hyphens, '$<a>-$<b>-$<c>-$<d>-$<e>');
  return {
    ...{ name, path: `/dev/mapper/${name}`, number: await text('dev'), dmUuid, type },
    ...present({ luksUuid: uuid }),
    ...{ size, mode: (await text('ro')) === '0' ? 'rw' : 'ro' },
    beneath: await namesIn(host, `${sys}/slaves`),
  };
}

/**
 * Returns the mapping on exactly this device, from the kernel's list of holders, because a copy of
 * the device has the same UUID.
 */
export async function mappingOn(host: ReadHost, device: string): Promise<Mapping | undefined> {
  const { number } = await deviceNode(host, device);
  const name = posix.basename(await host.readLink(`/sys/dev/block/${number}`));
  return (await mappings(host)).find(
    ({ luksUuid, beneath }) => luksUuid !== undefined && beneath.includes(name),
  );
}

/** Returns the single device below a mapping: its usual path, and its kernel name. */
export async function lowerPath(
  host: ReadHost,
  { path, beneath }: Mapping,
): Promise<{ readonly device: string; readonly lower: string }> {
  const [lower, ...more] = beneath;
  if (lower === undefined || more.length > 0)
    throw new RefusedError(`${path} is on ${beneath.length} devices: bofh only supports one`, {
      remedy: `look at it: dmsetup table ${inShell(path)}`,
    });
  return { device: await usualPath(host, lower), lower };
}

/**
 * Returns the path of a device that stays the same after a reboot, if there is one:
 * `/dev/mapper/vg0-web1`, not `/dev/dm-3`.
 */
async function usualPath(host: ReadHost, block: string): Promise<string> {
  const name = await kernelText(host, `/sys/block/${block}/dm/name`);
  return name === undefined ? devicePath(block) : `/dev/mapper/${name}`;
}

/**
 * Whether the key opens the device, or one slot of it. RefusedError for a header with a damaged
 * copy.
 */
export async function keyOpens(host: ReadHost, ask: Parameters<typeof testKey>[0]): Promise<boolean> {
  await refuseDamaged(host, ask.device);
  return host.run(testKey(ask));
}

/**
 * Returns the status of a mapping from cryptsetup; undefined: there is no such mapping any more.
 * RefusedError if the header on its device has a damaged copy. Does not check a detached header,
 * because `cryptsetup status` does not read it.
 */
export async function statusNow(
  host: ReadHost,
  { name, type, beneath }: Mapping,
): Promise<MappingStatus | undefined> {
  if (type === 'LUKS2') for (const lower of beneath) await refuseDamaged(host, devicePath(lower));
  return host.run(cryptStatus(name));
}

/**
 * Returns the path of a device from its kernel name. The kernel writes a slash as an exclamation
 * mark (cciss!c0d0).
 */
function devicePath(block: string): string {
  return `/dev/${block.replaceAll('!', '/')}`;
}

/** Number of devices that are examined at the same time: each starts a program. */
const atOnce = 8;

/**
 * Returns every encrypted device of this host, and every unreadable device, which may be encrypted.
 * Probes each device, because no cache knows them all.
 */
export async function scanForLuks(on: ReadHost): Promise<LuksScan> {
  const host = oneLook(on);
  const [open, blocks] = await Promise.all([mappings(host), blockNames(host)]);
  await probeTogether(host, blocks.map(devicePath));
  const { take } = turns(atOnce);
  const found = await Promise.all(blocks.map((block) => take(() => luksDeviceAt(host, block, open))));
  const failures = found.flatMap((each) => ('failure' in each ? [each] : []));
  const [first] = failures;
  // If no device at all was readable, the reason is a missing permission, not the devices.
  if (
    first !== undefined &&
    found.every((each) => 'failure' in each || ('holds' in each && each.holds === 'no medium'))
  )
    throw first.failure;
  return {
    devices: found.flatMap((each) => ('key' in each ? [each] : [])),
    unreadable: failures.map(({ device, failure }) => ({ device, why: failure.message })),
  };
}

/** Returns every encrypted device of this host. ParseError if there are unreadable devices. */
export async function luksDevices(host: ReadHost): Promise<readonly LuksDevice[]> {
  const { devices, unreadable } = await scanForLuks(host);
  const [first] = unreadable;
  if (first === undefined) return devices;
  const names = unreadable.map(({ device }) => device).join(', ');
  throw new ParseError(
    `cannot tell whether ${names} ${unreadable.length === 1 ? 'is' : 'are'} encrypted: ${first.why}`,
    {
      remedy: 'see the others: bofh crypt list',
    },
  );
}

/**
 * The result for one device. A drive without a medium, or a loop device without a file, has no size
 * and no content.
 */
type Looked =
  | { readonly device: string; readonly failure: ParseError | CommandError }
  | { readonly holds: 'no medium' | 'something else' }
  | LuksDevice;

async function luksDeviceAt(host: ReadHost, block: string, open: readonly Mapping[]): Promise<Looked> {
  const device = devicePath(block);
  try {
    return await lookedAt(host, { block, device, open });
  } catch (error) {
    // Whether the device itself caused the error; a missing or killed program says nothing about
    // the device.
    const isItsOwn =
      error instanceof ParseError || (error instanceof CommandError && error.reason !== 'killed');
    if (!isItsOwn) throw error;
    if (isWithoutMedium(error)) return { holds: 'no medium' };
    return { device: await usualPath(host, block), failure: error };
  }
}

async function lookedAt(
  host: ReadHost,
  {
    block,
    device,
    open,
  }: { readonly block: string; readonly device: string; readonly open: readonly Mapping[] },
): Promise<Looked> {
  const { number } = await deviceNode(host, device);
  if ((await kernelText(host, `/sys/dev/block/${number}/size`)) === '0') return { holds: 'no medium' };
  const signature = await recognise(host, device);
  if (signature === undefined) await refuseUnread(host, device);
  if (!isLuksSignature(signature)) return { holds: 'something else' };
  const mapping = open.find(({ beneath }) => beneath.includes(block));
  const { uuid, label } = signature;
  const { key } = await identityOf(host, device);
  return { ...{ device: await usualPath(host, block), key, uuid }, ...present({ label, mapping }) };
}

async function blockNames(host: ReadHost): Promise<readonly string[]> {
  const disks = await namesIn(host, '/sys/block');
  return (await Promise.all(disks.map((disk) => withPartitions(host, disk)))).flat();
}

async function withPartitions(host: ReadHost, disk: string): Promise<readonly string[]> {
  const inner = (await namesIn(host, `/sys/block/${disk}`)).filter((entry) => entry.startsWith(disk));
  const numbers = await Promise.all(
    inner.map((entry) => kernelText(host, `/sys/block/${disk}/${entry}/partition`)),
  );
  return [disk, ...inner.filter((_, nth) => numbers[nth] !== undefined)];
}
