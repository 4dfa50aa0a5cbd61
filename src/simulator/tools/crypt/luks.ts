import { anyKey, fingerprintOf } from '../../world/keys.ts';
import type { Device } from '../../world/devices.ts';
import { type Header, encodeHeader, headerInFile, partsOf } from '../../world/header-file.ts';
import { type Options, unmodelled } from '../../options.ts';
import type { LuksSlot } from '../../world/parts.ts';
import { resolve } from '../../world/resolve.ts';
import type { World } from '../../world/world.ts';
import { failed, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { present } from '../../../core/present.ts';

const mib = 1024 ** 2;

/** Offset of the data of a LUKS device: the default of cryptsetup 2.6. */
export const luksOffset = { 1: 2 * mib, 2: 16 * mib } as const;

/** A LUKS header, and its location. */
export interface Luks extends Header {
  readonly version: 1 | 2;
  readonly uuid: string;
  /** Undefined: the header is in a file. */
  readonly device: Device | undefined;
  readonly path: string;
}

export function luksAt(world: World, path: string): Luks | 'missing' | 'none' {
  const device = deviceAt(world, path);
  const header = device === undefined ? headerInFile(world, path) : headerOn(world, device);
  if (header === undefined && device === undefined && !resolve(world, path, 'follow').found) return 'missing';
  if (header === undefined || 'torn' in header || header.superblock.type !== 'crypto_LUKS') return 'none';
  const { uuid = '', version } = header.superblock;
  return { ...header, device, path, uuid, version: version === '1' ? 1 : 2 };
}

function headerOn(world: World, { storage }: Device): Header | undefined {
  const { superblock, luks } = world.live.get(storage) ?? {};
  return superblock === undefined ? undefined : { superblock, slots: [], ...luks };
}

/** Returns the answer of cryptsetup for a path without a LUKS header. */
export function noLuks(path: string, why: 'missing' | 'none'): ReturnType<ToolModel> {
  return why === 'missing'
    ? failed(4, `Device ${path} does not exist or access denied.`)
    : failed(1, `Device ${path} is not a valid LUKS device.`);
}

/** Returns the only argument of a command. */
export function only(call: ToolCall, options: Options): string {
  const [word = '', ...more] = options.words;
  if (word === '' || more.length > 0) throw unmodelled(call, 'it takes exactly one argument');
  return word;
}

/** Writes a header to the page cache, not yet to the disk. Other content of the device stays. */
export function putHeader(
  world: World,
  { device, path }: Pick<Luks, 'device' | 'path'>,
  header: Header,
): void {
  if (device !== undefined) {
    const now = world.live.get(device.storage);
    const payload = now?.superblock?.type === 'crypto_LUKS' ? now.payload : now;
    world.live.set(device.storage, {
      ...{ superblock: header.superblock, luks: partsOf(header) },
      ...present({ payload }),
    });
    return;
  }
  const there = resolve(world, path, 'follow');
  if (!there.found) throw new TypeError(`${path} is gone`);
  there.tree.inodes.set(there.ino, { ...there.inode, content: encodeHeader(header) });
}

export function isKdf(kdf: string | undefined): kdf is LuksSlot['kdf'] {
  return kdf === 'pbkdf2' || kdf === 'argon2id';
}

/** Returns a new slot of a header, with a new salt. */
export function newSlot(world: World, make: Omit<LuksSlot, 'salt'>): LuksSlot {
  const salt = Buffer.from(world.ids.uuid().replaceAll('-', '').repeat(2), 'hex').toString('base64');
  return { ...make, key: fingerprintOf(make.key), salt };
}

/**
 * Whether the key opens a slot of the device; with `wanted`: that slot. In a plan, which has no
 * keys, every key opens the first slot with the key of the data.
 */
export function opensSlot({ slots }: Luks, key: string, wanted?: string): boolean {
  const own = slots.filter((slot) => slot.key === fingerprintOf(key));
  const ofRealHost = slots.filter((slot) => slot.key === anyKey);
  const first = ofRealHost.find(({ opens }) => opens === undefined) ?? ofRealHost[0];
  return [...own, ...(own.length === 0 && first !== undefined ? [first] : [])].some(
    ({ slot }) => wanted === undefined || String(slot) === wanted,
  );
}
