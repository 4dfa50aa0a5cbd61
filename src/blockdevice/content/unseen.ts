import { CommandError, RefusedError } from '../../core/errors.ts';
import type { ReadHost } from '../../command/index.ts';
import { bytesAt } from '../bytes-at.ts';
import { readsAsBlank } from '../commands.ts';
import { marksOn } from '../many-commands.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { onceIn } from '../one-look.ts';
import type { Signature } from '../schema.ts';

// Content that only newer versions of blkid recognise, or none. `wipefs --all` does not erase it.
const magics: readonly { readonly type: string; readonly at: number; readonly bytes: string }[] = [
  // libblkid recognises it since 2.40; Debian 11 and 12 have an older version.
  { type: 'bcachefs', at: 4120, bytes: '\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef' },
  // Since 2.39.
  { type: 'scoutfs', at: 65_540, bytes: '\x8b\x42\x3c\x10' },
  // Disk images, which some tools write directly to a volume, and volumes of Oracle.
  { type: 'qcow2', at: 0, bytes: 'QFI\xfb' },
  { type: 'qed', at: 0, bytes: 'QED\0' },
  { type: 'vmdk', at: 0, bytes: 'KDMV' },
  { type: 'vhd', at: 0, bytes: 'conectix' },
  { type: 'vhdx', at: 0, bytes: 'vhdxfile' },
  { type: 'vdi', at: 64, bytes: '\x7f\x10\xda\xbe' },
  { type: 'oracleasm', at: 32, bytes: 'ORCLDISK' },
];

/** The first bytes of a device, which have all magics but one. */
export const firstPart = 8192;

/**
 * Returns the content of a device that blkid reports as blank, found by magics that blkid does not
 * know. Undefined: none of them. Other bytes prove nothing: a wiped device, a reused part of a
 * group, and a fresh LUKS mapping are full of them.
 */
export async function unseen(host: ReadHost, device: string): Promise<Signature | undefined> {
  const node = await deviceNode(host, device);
  const known = startsKnown(host);
  if (known.has(node.path)) return known.get(node.path);
  const size = await sizeOf(host, node);
  for (const [from, count] of [
    [0, firstPart],
    [65_536, 4096],
  ] as const) {
    if (from + count > size) continue;
    const read = await textAt(host, node.path, { from, count });
    const found = magics.find(
      ({ at, bytes }) =>
        at >= from && at < from + count && read.slice(at - from, at - from + bytes.length) === bytes,
    );
    if (found !== undefined) return { type: found.type, usage: 'other' };
  }
  return undefined;
}

/** s_magic of ext2_super_block: blkid reports a damaged one as blank. */
const extMagic = { at: 1080, hex: '53ef' };

/**
 * Reads the starts of several devices that blkid reports as blank with one program, for `unseen`
 * and `refuseUnread` in the same look. Stores nothing for an unreadable device, or one with a
 * damaged ext2, ext3 or ext4: those two functions report it.
 */
export async function readStarts(host: ReadHost, devices: readonly string[]): Promise<readonly string[]> {
  const marks = magics.map(({ at, bytes }) => ({ at, hex: Buffer.from(bytes, 'latin1').toString('hex') }));
  const found = await host.run(marksOn(devices, [extMagic, ...marks]));
  const known = startsKnown(host);
  for (const [path, index] of found) {
    const type = magics[index - 1]?.type;
    if (index !== 0) known.set(path, type === undefined ? undefined : { type, usage: 'other' });
  }
  return devices.filter((path) => known.has(path));
}

/**
 * Throws an error for a device that blkid reports as blank, but that cannot be read, or has a
 * damaged ext2, ext3 or ext4.
 */
export async function refuseUnread(host: ReadHost, device: string): Promise<void> {
  const { path } = await deviceNode(host, device);
  if (!startsKnown(host).has(path)) await host.run(readsAsBlank(path));
}

function startsKnown(host: ReadHost): Map<string, Signature | undefined> {
  return onceIn(host, 'starts', () => new Map<string, Signature | undefined>());
}

async function textAt(
  host: ReadHost,
  path: string,
  range: { readonly from: number; readonly count: number },
): Promise<string> {
  try {
    const { buffer } = await host.run(bytesAt(path, range));
    return Buffer.from(buffer).toString('latin1');
  } catch (error) {
    // The callers check whether the device can be read at all.
    if (error instanceof CommandError && error.stderr.includes('Input/output error')) return '';
    throw error;
  }
}

/** RefusedError for a device with such content. */
export async function refuseUnseen(
  host: ReadHost,
  device: string,
  done: 'written' | 'erased',
): Promise<void> {
  const found = await unseen(host, device);
  if (found === undefined) return;
  throw new RefusedError(
    `${device} contains ${found.type}, which blkid on this host does not recognise; nothing was ${done}`,
    {
      code: 'has-data',
      remedy: `if its content is not needed: bofh block zero ${device} --overwrite ${found.type}`,
    },
  );
}
