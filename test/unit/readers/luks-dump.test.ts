import { expect } from 'vitest';
import { luks1Header } from '../../../src/crypt/luks1.ts';
import { luks2Header } from '../../../src/crypt/read-commands.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { readerTable, type Row } from './table.ts';

const read = (text: string): string => {
  const header = text.startsWith('LUKS') || !text.includes('{') ? luks1Header(text) : luks2Header(text);
  const { version, cipher, sectorSize, dataOffset, keySlots, tokens, requirements, integrity } = header;
  return [
    `LUKS${version} ${cipher} ${sectorSize} ${dataOffset}${integrity ? ' integrity' : ''}`,
    ...keySlots.map(({ slot, kdf, rounds, opens }) => `${slot}:${kdf}:${rounds}:${opens}`),
    ...tokens.map(({ type, slots }) => `${type}>${slots.join('+')}`),
    ...requirements,
  ].join(' ');
};

const luks1 = recorded('cryptsetup/luksDump-luks1@2.6.1').stdout;
const first = 'LUKS1 aes-xts-plain64 512 2097152 0:pbkdf2:1000:data 3:pbkdf2:1000:data';
const old = (what: string, from: RegExp | string, to: string, expected: unknown): Row<string> => [
  `LUKS1: ${what}`,
  luks1.replace(from, to),
  expected,
];

interface Json {
  [key: string]: Json | Json[] | string | number;
}
const luks2 = recorded('cryptsetup/luksDump-luks2@2.6.1').stdout;
const second = 'LUKS2 aes-xts-plain64 512 16777216 0:argon2id:4:data 3:pbkdf2:1000:data clevis>3';
/** The header with the value at a path (`segments.0.offset`) as it says; undefined: without it. */
const made = (...changes: readonly (readonly [string, unknown])[]): string => {
  const json = JSON.parse(luks2) as Json;
  for (const [path, value] of changes) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at = json;
    for (const key of keys) at = (at[key] ??= {}) as Json;
    if (value === undefined) Reflect.deleteProperty(at, last);
    else at[last] = value as Json;
  }
  return JSON.stringify(json);
};
const now = (what: string, path: string, value: unknown, expected: unknown): Row<string> => [
  `LUKS2: ${what}`,
  made([path, value]),
  expected,
];
const ciphers = [
  'aes-cbc-essiv:sha256',
  'serpent-xts-plain64',
  'twofish-xts-plain64',
  'capi:xchacha12,aes-adiantum-plain64',
  'aegis128-random',
  'cipher_null-ecb',
];
const tokens = [
  'systemd-tpm2',
  'systemd-fido2',
  'systemd-pkcs11',
  'systemd-recovery',
  'luks2-keyring',
  'ssh',
];

readerTable('luksDump', read, [
  ['LUKS1', luks1, first],
  [
    'LUKS1 of 2.7',
    recorded('cryptsetup/luksDump-luks1@2.7.5').stdout,
    expect.stringMatching(/^LUKS1 aes-xts-plain64 512 /),
  ],
  old('another cipher', 'xts-plain64', 'cbc-essiv:sha256', first.replace('xts-plain64', 'cbc-essiv:sha256')),
  old('serpent', /(?<=Cipher name: {3}\t)aes/, 'serpent', first.replace('aes', 'serpent')),
  old('another hash', 'sha256', 'ripemd160', first),
  old('another payload', /(?<=Payload offset:\t)4096/, '65536', first.replace('2097152', '33554432')),
  old('a header that is elsewhere', /(?<=Payload offset:\t)4096/, '0', first.replace('2097152', '0')),
  old('a device with a blank in its path', '/dev/loop1', '/dev/mapper/a b', first),
  old('a file', '/dev/loop1', '/root/header.img', first),
  old('many rounds', /(?<=Iterations: {9}\t)1000/, '4194304', first.replace('1000', '4194304')),
  old('a key of 128 bits', /(?<=MK bits: {7}\t)512/, '128', first),
  old(
    'no slot in use',
    /Key Slot (?:0|3): ENABLED\n(?:\t.*\n){5}/g,
    '',
    /key slot 0 is missing|cannot read the line/,
  ),
  old(
    'all but one slot erased',
    /Key Slot 3: ENABLED\n(?:\t.*\n){5}/,
    'Key Slot 3: DISABLED\n',
    first.replace(' 3:pbkdf2:1000:data', ''),
  ),
  old('another version', /(?<=Version: +\t)1/, '2', /cannot read the line "Version/),
  old(
    'a state of a slot that is new',
    'Key Slot 1: DISABLED',
    'Key Slot 1: BROKEN',
    /cannot read the line "Key Slot 1: BROKEN"/,
  ),
  old('a slot twice', 'Key Slot 2:', 'Key Slot 1:', /key slot 2 is missing/),
  old('a ninth slot', /$/, 'Key Slot 8: DISABLED\n', /those of eight key slots|cannot read/),
  old('a uuid that is none', '5e1f0000-0000-4000-8000-0000000000c1', 'none', /cannot read the line "UUID/),
  old('no payload', /Payload offset:.*\n/, '', /cannot read the line/),
  old('a salt that is none', /(?<=Salt:.*)90 d7/, 'zz d7', /cannot read the line "\\tSalt/),
  old('its end is cut off', /Key Slot 5[^]*$/, '', /cannot read the line undefined/),
  ['nothing', '', /cannot read the line/],
  ['another sentence', 'Device /dev/x is not a valid LUKS device.\n', /cannot read the line/],
  ['LUKS2', luks2, second],
  [
    'LUKS2 of 2.7',
    `${recorded('cryptsetup/luksDump-luks2@2.7.5').stdout}\n`,
    recorded('cryptsetup/luksDump-luks2@2.7.5').stdout === luks2
      ? second
      : expect.stringMatching(/^LUKS2 aes-xts-plain64 512 16777216 /),
  ],
  ...ciphers.map((cipher) =>
    now(`the cipher ${cipher}`, 'segments.0.encryption', cipher, second.replace('aes-xts-plain64', cipher)),
  ),
  ...tokens.map((type) => now(`the token ${type}`, 'tokens.0.type', type, second.replace('clevis', type))),
  now('no token', 'tokens', {}, second.replace(' clevis>3', '')),
  now('a token of no slot', 'tokens.0.keyslots', [], second.replace('clevis>3', 'clevis>')),
  now('a token with facts of its own', 'tokens.0.tpm2-pcrs', '7', second),
  now('sectors of 4 KiB', 'segments.0.sector_size', 4096, second.replace(' 512 ', ' 4096 ')),
  now('another offset', 'segments.0.offset', '33554432', second.replace('16777216', '33554432')),
  now('a header that is elsewhere', 'segments.0.offset', '0', second.replace('16777216', '0')),
  now('a segment of a fixed size', 'segments.0.size', '1048576', second),
  now(
    'integrity',
    'segments.0.integrity',
    { type: 'hmac(sha256)', journal_encryption: 'none', journal_integrity: 'none' },
    second.replace('16777216', '16777216 integrity'),
  ),
  now('argon2i', 'keyslots.0.kdf.type', 'argon2i', second.replace('argon2id', 'argon2i')),
  now(
    'a slot that opens nothing',
    'digests.0.keyslots',
    ['0'],
    second.replace('3:pbkdf2:1000:data', '3:pbkdf2:1000:nothing'),
  ),
  now('a priority of a slot', 'keyslots.0.priority', 2, second),
  now('flags of opening it', 'config.flags', ['allow-discards', 'no-read-workqueue'], second),
  now(
    'a requirement that is new',
    'config.requirements',
    { mandatory: ['inline-hw-tags'] },
    `${second} inline-hw-tags`,
  ),
  now('OPAL', 'config.requirements', { mandatory: ['opal'] }, `${second} opal`),
  now('no segment', 'segments', {}, /first segment is not encrypted/),
  now(
    'a segment that is not encrypted',
    'segments.0',
    { type: 'linear', offset: '0', size: 'dynamic' },
    /first segment is not encrypted/,
  ),
  now('an offset that is no number', 'segments.0.offset', '16M', /offset/),
  now('a sort of slot that is new', 'keyslots.0.type', 'luks3', /keyslots/),
  now('a derivation that is new', 'keyslots.0.kdf.type', 'scrypt', /kdf/),
  now('no digests', 'digests', undefined, /digests/),
  now('a token without slots', 'tokens.0.keyslots', undefined, /keyslots/),
  now(
    'a reencryption without a slot for it',
    'config.requirements',
    { mandatory: ['online-reencrypt-v2'] },
    /has no slot for one/,
  ),
  ['LUKS2: its end is cut off', luks2.slice(0, 900), /JSON/],
  ['LUKS2: a list', '[{}]', /./],
]);
