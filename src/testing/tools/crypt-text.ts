import { createHash } from 'node:crypto';
import type { Header } from '../header-file.ts';
import type { LuksSlot } from '../parts.ts';

/** `cryptsetup luksDump --dump-json-metadata`, as cryptsetup 2.6.1 prints it: tabs are two blanks, and no newline ends it. */
export function luks2Json({ slots, volumeKey = 'digest' }: Pick<Header, 'slots' | 'volumeKey'>): string {
  const area = { type: 'raw', offset: '32768', size: '258048', encryption: 'aes-xts-plain64', key_size: 64 };
  const af = { type: 'luks1', stripes: 4000, hash: 'sha256' };
  const keyslots = slots.map((slot) => [
    slot.slot,
    { type: 'luks2', key_size: 64, af, area, kdf: kdfOf(slot) },
  ]);
  const crypt = { type: 'crypt', offset: '16777216', size: 'dynamic', iv_tweak: '0' };
  const digest = {
    ...{ type: 'pbkdf2', keyslots: slots.map(({ slot }) => String(slot)), segments: ['0'], hash: 'sha256' },
    ...{ iterations: 1000, salt: digestOf('salt'), digest: digestOf(volumeKey) },
  };
  const metadata = {
    keyslots: Object.fromEntries(keyslots) as Record<string, unknown>,
    tokens: {},
    segments: { '0': { ...crypt, encryption: 'aes-xts-plain64', sector_size: 512 } },
    digests: { '0': digest },
    config: { json_size: '12288', keyslots_size: '16744448' },
  };
  return JSON.stringify(metadata, undefined, 2).replaceAll('": ', '":');
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
  { uuid, slots, volumeKey = 'digest' }: Pick<Header, 'slots' | 'volumeKey'> & { readonly uuid: string },
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

/** Bytes drawn from a word, sixteen to a line; a digest's twenty stand in one. */
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
