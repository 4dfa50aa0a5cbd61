import type * as z from 'zod/mini';
import { type KeyInput, type ReadCommand, stderrAlone, type Answer } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyCryptsetup } from './classify.ts';
import { luks1Header } from './luks1.ts';
import { digestsNow, reencryptionIn, segmentOf } from './reencryption.ts';
import { type KeySlot, luks2Metadata, type HeaderPart, type MappingStatus } from './schema.ts';
import { present } from '../core/present.ts';

/**
 * Reads the header of a LUKS1 device, as text. cryptsetup repairs LUKS2 headers without being
 * asked, but not those of LUKS1.
 */
export function luksDump1(device: string): ReadCommand<HeaderPart> {
  return {
    tool: 'cryptsetup',
    argv: ['luksDump', device],
    access: 'read',
    parse: ({ stdout }) => luks1Header(stdout),
    classify: classifyCryptsetup,
    shownOf: stderrAlone,
  };
}

/** Parses the metadata of a LUKS2 device, which contains neither its uuid nor its label. */
export function luks2Header(json: string): HeaderPart {
  const metadata = luks2Metadata.parse(JSON.parse(json));
  const { keyslots, tokens, config } = metadata;
  const data = segmentOf(metadata);
  if (data?.encryption === undefined || data.sector_size === undefined)
    throw new ParseError('its first segment is not encrypted');
  const reencryption = reencryptionIn(metadata);
  return {
    version: 2,
    cipher: data.encryption,
    sectorSize: data.sector_size,
    dataOffset: data.offset,
    volumeKeyDigest: digestsNow(metadata),
    keySlots: keySlotsIn(metadata),
    tokens: Object.values(tokens).map((token) => ({ type: token.type, slots: token.keyslots.map(Number) })),
    requirements: config.requirements?.mandatory ?? [],
    ...present({ reencryption }),
    integrity: data.integrity !== undefined,
    slotRoom: {
      all: config.keyslots_size,
      taken: Object.values(keyslots).reduce((sum, { area }) => sum + area.size, 0),
    },
  };
}

function keySlotsIn({ keyslots, digests }: z.infer<typeof luks2Metadata>): readonly KeySlot[] {
  return Object.entries(keyslots).flatMap(([slot, keyslot]) => {
    if (keyslot.type !== 'luks2') return [];
    const { kdf } = keyslot;
    const cost =
      kdf.type === 'pbkdf2' ? { rounds: kdf.iterations } : { rounds: kdf.time, memory: kdf.memory * 1024 };
    const isBound = Object.values(digests).some(
      (digest) => digest.keyslots.includes(slot) && digest.segments.length > 0,
    );
    const opens = isBound ? 'data' : 'nothing';
    return [{ slot: Number(slot), kdf: kdf.type, ...cost, salt: kdf.salt, opens }];
  });
}

/**
 * No token has this type. Without `--token-type`, cryptsetup ignores the key if a token opens the
 * device, for example `systemd-tpm2` (2.6.1).
 */
const noToken = 'bofh-none';

/**
 * Whether the key itself, not a token, opens the device, or one slot of it. Needs no device-mapper.
 * Repairs a damaged copy of a LUKS2 header, so use `keyOpens` instead.
 */
export function testKey(ask: {
  readonly device: string;
  readonly key: KeyInput;
  readonly slot?: number;
}): ReadCommand<boolean> {
  const slot = ask.slot === undefined ? [] : ['--key-slot', String(ask.slot)];
  return {
    tool: 'cryptsetup',
    argv: [
      ...['open', '--test-passphrase', '--type', 'luks', '--token-type', noToken],
      ...slot,
      ...['--key-file=-', ask.device],
    ],
    access: 'read',
    accepts: [0, 2],
    stdin: ask.key,
    // argon2 needs time and memory.
    timeoutMs: 120_000,
    parse: ({ exitCode }) => exitCode === 0,
    classify: classifyCryptsetup,
  };
}

/**
 * Reads the status of an open device, from the kernel and the header; undefined: there is no
 * mapping of this name. Repairs a damaged copy of the LUKS2 header on its device, so use
 * `statusNow` instead.
 */
export function cryptStatus(name: string): ReadCommand<MappingStatus | undefined> {
  return {
    tool: 'cryptsetup',
    argv: ['status', name],
    access: 'read',
    accepts: [0, 4],
    parse: parseStatus,
    classify: classifyCryptsetup,
  };
}

// `cryptsetup status` prints only these lines, and for each type only some of them (2.6.1,
// src/cryptsetup.c action_status).
const first = /^\/dev\/mapper\/(?<name>.+) is (?<state>active|inactive|active and is in use)\.$/;
const line =
  /^ {2}(?<key>type|reencryption|cipher|keysize|key location|integrity|integrity keysize|device|loop|sector size|offset|skipped|size|mode|flags): +(?<value>\S.*?) *$/;
const sectors =
  /^(?<count>\d+) (?:\[512-byte units\] )?(?:sectors|\[512-byte units\])(?: \(\d+ \[bytes\]\))?$/;

/** Parses the status of an open device; undefined: there is no mapping of this name. */
function parseStatus({ exitCode, stdout }: Answer): MappingStatus | undefined {
  const lines = stdout.replace(/\n$/, '').split('\n');
  const state = first.exec(lines.shift() ?? '')?.groups?.state;
  if (state === undefined) throw new ParseError('cryptsetup does not say whether it is active');
  if (state === 'inactive' && exitCode === 4 && lines.length === 0) return undefined;
  if (state === 'inactive' || exitCode !== 0)
    throw new ParseError(`it is ${state}, with exit code ${exitCode}`);
  const values = new Map<string, string>();
  for (const text of lines) {
    const { key, value } = line.exec(text)?.groups ?? {};
    if (key === undefined || value === undefined || values.has(key))
      throw new ParseError(`cannot read the line ${JSON.stringify(text)}`);
    values.set(key, value);
  }
  return statusOf(values, state !== 'active');
}

function statusOf(values: ReadonlyMap<string, string>, inUse: boolean): MappingStatus {
  const needed = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw new ParseError(`there is no line for the ${key}`);
    return value;
  };
  const bytes = (key: string): number => {
    const { count } = sectors.exec(needed(key))?.groups ?? {};
    if (count === undefined) throw new ParseError(`the ${key} is "${needed(key)}"`);
    return Number(count) * 512;
  };
  const mode = needed('mode').replace(/ \(suspended\)$/, '');
  if (mode !== 'read/write' && mode !== 'readonly') throw new ParseError(`the mode is "${mode}"`);
  return {
    ...{ inUse, type: needed('type'), size: bytes('size'), mode: mode === 'readonly' ? 'ro' : 'rw' },
    ...{ device: needed('device'), offset: bytes('offset') },
    ...present({ cipher: values.get('cipher'), keyLocation: values.get('key location') }),
    isReencrypted: reencrypted(values.get('reencryption')),
    flags: values.get('flags')?.split(' ') ?? [],
  };
}

function reencrypted(value: string | undefined): boolean {
  if (value === undefined || value === 'in-progress') return value !== undefined;
  throw new ParseError(`its reencryption is "${value}"`);
}
