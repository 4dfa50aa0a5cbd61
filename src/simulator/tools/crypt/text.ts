import { createHash } from 'node:crypto';
import type { LuksParts, LuksSlot } from '../../world/parts.ts';
import { present } from '../../../core/present.ts';

const dataOffset = 16_777_216;
const usualCipher = 'aes-xts-plain64';
const areaSize = 258_048;

/** Returns the metadata of a LUKS2 header. */
function luks2Json(header: LuksParts): string {
  const { slots, reencryption, slotRoom = 16_744_448 } = header;
  const area = {
    type: 'raw',
    offset: '32768',
    size: String(areaSize),
    encryption: usualCipher,
    key_size: 64,
  };
  const af = { type: 'luks1', stripes: 4000, hash: 'sha256' };
  const keyslots: (readonly [number, unknown])[] = slots.map((slot) => [
    slot.slot,
    { type: 'luks2', key_size: 64, af, area, kdf: kdfOf(slot) },
  ]);
  if (reencryption !== undefined)
    keyslots.push([Math.max(...slots.map(({ slot }) => slot)) + 1, work(header)]);
  const requirements = { requirements: { mandatory: ['online-reencrypt-v2'] } };
  const metadata = {
    keyslots: Object.fromEntries(keyslots) as Record<string, unknown>,
    tokens: {},
    segments: Object.fromEntries(segmentsOf(header).entries()),
    digests: Object.fromEntries(digestsOf(header).entries()),
    config: {
      ...{ json_size: '12288', keyslots_size: String(slotRoom) },
      ...(reencryption === undefined ? {} : requirements),
    },
  };
  return JSON.stringify(metadata);
}

/**
 * Returns a header as on a device: for LUKS2 a binary header of 4 KiB and the metadata, twice; for
 * LUKS1 its start.
 */
export function luksBytes(
  header: LuksParts & { readonly uuid: string; readonly version: 1 | 2 },
): Uint8Array {
  if (header.version === 1) return Buffer.from('LUKS\xba\xbe\0\x01', 'latin1');
  const size = 16_384;
  const copies = ['LUKS\xba\xbe', 'SKUL\xba\xbe'].map((magic, nth) => {
    const bytes = Buffer.alloc(size);
    bytes.write(magic, 0, 'latin1');
    bytes.writeUInt16BE(2, 6);
    bytes.writeBigUInt64BE(BigInt(size), 8);
    bytes.writeBigUInt64BE(1n, 16);
    bytes.write('sha256', 72);
    bytes.write(header.uuid, 168);
    bytes.writeBigUInt64BE(BigInt(nth * size), 256);
    bytes.write(luks2Json(header), 4096);
    createHash('sha256').update(bytes).digest().copy(bytes, 448);
    return bytes;
  });
  return Buffer.concat(copies);
}

/** Returns where the reencryption stores checksums of the part that is being written. */
function work({ slots, reencryption, slotRoom = 16_744_448 }: LuksParts) {
  const size = String(slotRoom - slots.length * areaSize);
  const area = { offset: '548864', size, type: 'checksum', hash: 'sha256', sector_size: 512 };
  const mode = reencryption?.mode ?? 'reencrypt';
  return { area, type: 'reencrypt', key_size: 1, mode, direction: 'forward', priority: 0 };
}

/** Returns the segments: done, torn, still to do; then the encryption before and after. */
function segmentsOf({ cipher = usualCipher, integrity, reencryption }: LuksParts): readonly object[] {
  const segment = (
    offset: number,
    size: number | 'dynamic',
    encryption: string,
    flags?: readonly string[],
  ) => ({
    ...{
      type: 'crypt',
      offset: String(offset),
      size: String(size),
      iv_tweak: '0',
      encryption,
      sector_size: 512,
    },
    ...(integrity === undefined ? {} : { integrity: { type: 'hmac(sha256)' } }),
    ...present({ flags }),
  });
  if (reencryption === undefined) return [segment(dataOffset, 'dynamic', cipher)];
  const { done, torn, cipher: to = usualCipher } = reencryption;
  const part = 4096;
  const next = dataOffset + done;
  return [
    ...(done === 0 ? [] : [segment(dataOffset, done, to)]),
    ...(torn ? [segment(next, part, to, ['in-reencryption'])] : []),
    segment(next + (torn ? part : 0), 'dynamic', cipher),
    segment(dataOffset, 'dynamic', cipher, ['backup-previous']),
    segment(dataOffset, 'dynamic', to, ['backup-final']),
  ];
}

function digestsOf(header: LuksParts): readonly object[] {
  const { slots, volumeKey = 'digest', reencryption } = header;
  const keysOf = (wanted: LuksSlot['opens']) =>
    slots.filter(({ opens }) => opens === wanted).map(({ slot }) => String(slot));
  const digest = (key: string, keyslots: readonly string[], segments: readonly number[]) => ({
    ...{ type: 'pbkdf2', keyslots, segments: segments.map(String), hash: 'sha256' },
    ...{ iterations: 1000, ...pairOf(key) },
  });
  if (reencryption === undefined)
    return [
      digest(volumeKey, keysOf(undefined), [0]),
      ...keysOf('nothing').map((slot) => digest(`slot${slot}`, [slot], [])),
    ];
  const { done, torn, slot, volumeKey: fresh } = reencryption;
  const first = done === 0 ? 0 : 1;
  const count = segmentsOf(header).length;
  const tornOne = torn ? [first] : [];
  return [
    digest(volumeKey, keysOf(undefined), [...tornOne, count - 3, count - 2]),
    digest(fresh, [String(slot)], [...(done === 0 ? [] : [0]), ...tornOne, count - 1]),
  ];
}

/** Returns salt and digest of a volume key. For a real header both are known. */
function pairOf(key: string) {
  const [salt, digest] = key.split(' ');
  return salt !== undefined && digest !== undefined
    ? { salt, digest }
    : { salt: digestOf('salt'), digest: digestOf(key) };
}

function kdfOf({ kdf, memory, salt }: LuksSlot) {
  return kdf === 'pbkdf2'
    ? { type: kdf, hash: 'sha256', iterations: 1000, salt }
    : { type: kdf, time: 4, memory, cpus: 2, salt };
}

function digestOf(word: string): string {
  return createHash('sha256').update(word).digest('base64');
}

/** `cryptsetup luksDump` of a LUKS1 device, as cryptsetup 2.6.1 prints it. */
export function luks1Text(
  path: string,
  { uuid, slots, volumeKey = 'digest' }: Pick<LuksParts, 'slots' | 'volumeKey'> & { readonly uuid: string },
): string {
  const digest = hexLines(volumeKey, 20).join(' ');
  const [first, second] = hexLines('salt', 32);
  const head = [
    `LUKS header information for ${path}`,
    '',
    'Version:       \t1',
    'Cipher name:   \taes',
    'Cipher mode:   \txts-plain64',
    'Hash spec:     \tsha256',
    'Payload offset:\t4096',
    'MK bits:       \t512',
    `MK digest:     \t${digest} `,
    `MK salt:       \t${first ?? ''} `,
    `               \t${second ?? ''} `,
    'MK iterations: \t1000',
    `UUID:          \t${uuid}`,
    '',
  ];
  const all = Array.from({ length: 8 }, (_, number) =>
    slotLines(
      number,
      slots.find(({ slot }) => slot === number),
    ),
  );
  return `${[...head, ...all.flat()].join('\n')}\n`;
}

function slotLines(number: number, slot: LuksSlot | undefined): readonly string[] {
  if (slot === undefined) return [`Key Slot ${number}: DISABLED`];
  // The salt of a real header is in hex already.
  const [first, second] = /^[0-9a-f]{64}$/.test(slot.salt)
    ? inLines(Buffer.from(slot.salt, 'hex'))
    : hexLines(slot.salt, 32);
  return [
    `Key Slot ${number}: ENABLED`,
    '\tIterations:         \t1000',
    `\tSalt:               \t${first ?? ''} `,
    `\t                      \t${second ?? ''} `,
    `\tKey material offset:\t${number * 504 + 8}`,
    '\tAF stripes:            \t4000',
  ];
}

/**
 * Prints bytes derived from a word, sixteen to a line; the twenty bytes of a digest are on one
 * line.
 */
function hexLines(word: string, count: number): readonly string[] {
  const bytes = createHash('sha256').update(word).digest().subarray(0, count);
  return count === 20 ? [inHex(bytes)] : inLines(bytes);
}

function inLines(bytes: Uint8Array): readonly string[] {
  return [inHex(bytes.subarray(0, 16)), inHex(bytes.subarray(16))];
}

function inHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
