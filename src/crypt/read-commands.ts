import type * as z from 'zod/mini';
import { type KeyInput, type ReadCommand, stderrAlone } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyCryptsetup } from './classify.ts';
import { luks1Header } from './luks1.ts';
import { digestsNow, reencryptionIn, segmentOf } from './reencryption.ts';
import { type KeySlot, luks2Metadata, type HeaderPart, type MappingStatus } from './schema.ts';
import { parseStatus } from './status.ts';
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
 * Whether the key opens the device, or one slot of it. Needs no device-mapper. Repairs a damaged
 * copy of a LUKS2 header, so use `keyOpens` instead.
 */
export function testKey(ask: {
  readonly device: string;
  readonly key: KeyInput;
  readonly slot?: number;
}): ReadCommand<boolean> {
  const slot = ask.slot === undefined ? [] : ['--key-slot', String(ask.slot)];
  return {
    tool: 'cryptsetup',
    argv: ['open', '--test-passphrase', '--type', 'luks', ...slot, '--key-file=-', ask.device],
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
