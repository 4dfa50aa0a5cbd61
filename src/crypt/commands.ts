import { classifyDevice } from '../blockdevice/index.ts';
import {
  type Answer,
  type Command,
  type KeyInput,
  nothing,
  type ReadCommand,
  secondKeyPath,
} from '../command/index.ts';
import { ParseError, type Reason } from '../errors.ts';
import type { Bytes } from '../units.ts';
import { luks1Header } from './luks1.ts';
import { luks2Metadata, type LuksHeader, type MappingStatus } from './schema.ts';
import { parseStatus } from './status.ts';

/** A header without what only a probe of the device tells. */
export type HeaderPart = Omit<LuksHeader, 'uuid' | 'label'> & { readonly uuid?: string };

/** Is it a LUKS device of this version? Of one that is not there: CommandError `not-found`. */
export function isLuks(device: string, version: 1 | 2): ReadCommand<boolean> {
  return {
    tool: 'cryptsetup',
    argv: ['isLuks', '--type', `luks${version}`, device],
    access: 'read',
    accepts: [0, 1],
    parse: ({ exitCode, stdout, stderr }) => {
      // 1 also stands for wrong parameters, which it explains.
      if (exitCode === 0 || (stdout === '' && stderr === '')) return exitCode === 0;
      throw new ParseError(`cryptsetup: ${stderr.trim() || stdout.trim()}`);
    },
    classify: classifyCryptsetup,
  };
}

/** The header of a LUKS1 device, which is text. */
export function luksDump1(device: string): ReadCommand<HeaderPart> {
  return { ...dump(device, []), parse: ({ stdout }) => luks1Header(stdout) };
}

/** The metadata of a LUKS2 device. The uuid and the label are not in them. */
export function luksDump2(device: string): ReadCommand<HeaderPart> {
  return { ...dump(device, ['--dump-json-metadata']), parse: ({ stdout }) => luks2Header(stdout) };
}

function dump(device: string, options: readonly string[]) {
  const argv = ['luksDump', ...options, device];
  return { tool: 'cryptsetup', argv, access: 'read', classify: classifyCryptsetup } as const;
}

function luks2Header(json: string): HeaderPart {
  const { keyslots, tokens, segments, digests, config } = luks2Metadata.parse(JSON.parse(json));
  const { '0': data } = segments;
  if (data?.encryption === undefined || data.sector_size === undefined)
    throw new ParseError('its first segment is not encrypted');
  return {
    version: 2,
    cipher: data.encryption,
    sectorSize: data.sector_size,
    dataOffset: data.offset,
    volumeKeyDigest: Object.values(digests)
      .filter((each) => each.segments.length > 0)
      .map(({ salt, digest }) => `${salt} ${digest}`)
      .join(' '),
    keySlots: Object.entries(keyslots).flatMap(([slot, keyslot]) => {
      if (keyslot.type !== 'luks2') return [];
      const { kdf } = keyslot;
      const cost =
        kdf.type === 'pbkdf2' ? { rounds: kdf.iterations } : { rounds: kdf.time, memory: kdf.memory * 1024 };
      return [{ slot: Number(slot), kdf: kdf.type, ...cost, salt: kdf.salt }];
    }),
    tokens: Object.values(tokens).map((token) => ({ type: token.type, slots: token.keyslots.map(Number) })),
    requirements: config.requirements?.mandatory ?? [],
  };
}

/** Does the key open the device, or one slot of it? False: no such key. It needs no device-mapper. */
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
    // argon2 takes its time, and its memory.
    timeoutMs: 120_000,
    parse: ({ exitCode }) => exitCode === 0,
    classify: classifyCryptsetup,
  };
}

/** What the kernel and the header say of an open device; undefined: there is no mapping of this name. */
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

/** What a new encrypted device is given. */
export interface NewLuks {
  readonly device: string;
  readonly version: 1 | 2;
  readonly uuid: string;
  readonly label?: string | undefined;
  readonly key: KeyInput;
  readonly pbkdf: Pbkdf;
  /** A new file for the header; nothing is written to the device then. One that is there would be overwritten. */
  readonly header?: string | undefined;
}

/** How hard it is made to guess a key. */
export interface Pbkdf {
  /** LUKS1 knows pbkdf2 alone. */
  readonly kdf: 'pbkdf2' | 'argon2id';
  /** No more than this is used, whatever the benchmark would take. For argon2id alone. */
  readonly memory?: Bytes | undefined;
  /** How long opening it may take on this host: 2 s unless said otherwise. */
  readonly timeMs?: number | undefined;
}

/**
 * Writes the header. Without a terminal it overwrites anything (2.6), so probe first. `--batch-mode` alone keeps it from
 * asking on one. A device too small for data it formats all the same, exit 0.
 */
export function luksFormat({
  device,
  version,
  uuid,
  label,
  key,
  pbkdf,
  header,
}: NewLuks): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: [
      'luksFormat',
      '--batch-mode',
      ...['--type', `luks${version}`],
      ...['--uuid', uuid],
      ...(label === undefined ? [] : ['--label', label]),
      ...pbkdfOptions(pbkdf),
      ...headerOption(header),
      '--key-file=-',
      device,
    ],
    access: 'destroy',
    stdin: key,
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

function headerOption(header: string | undefined): readonly string[] {
  return header === undefined ? [] : ['--header', header];
}

function pbkdfOptions({ kdf, memory, timeMs }: Pbkdf): readonly string[] {
  return [
    ...['--pbkdf', kdf],
    ...(memory === undefined ? [] : ['--pbkdf-memory', String(Math.floor(memory / 1024))]),
    ...(timeMs === undefined ? [] : ['--iter-time', String(timeMs)]),
  ];
}

/** Puts a second key into a slot that is free: a slot that is not is refused. `key` opens the device already. */
export function luksAddKey(add: {
  readonly device: string;
  readonly slot: number;
  readonly key: KeyInput;
  readonly newKey: KeyInput;
  readonly pbkdf: Pbkdf;
}): Command<void, 'change'> {
  const { device, slot, key, newKey, pbkdf } = add;
  return {
    tool: 'cryptsetup',
    argv: [
      ...['luksAddKey', '--batch-mode', '--key-slot', String(slot)],
      ...pbkdfOptions(pbkdf),
      ...['--key-file=-', device, secondKeyPath],
    ],
    access: 'change',
    stdin: key,
    secondKey: newKey,
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Destroys a key slot, also the last one: without a key on stdin nothing is asked (cryptsetup-luksKillSlot(8), NOTE). */
export function luksKillSlot(device: string, slot: number): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksKillSlot', '--batch-mode', device, String(slot)],
    access: 'destroy',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Destroys every key slot. The header stays, and is still one of LUKS. */
export function luksErase(device: string): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksErase', '--batch-mode', device],
    access: 'destroy',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Erases both headers of a LUKS device, and nothing else. Never with `-f`: the kernel refuses a device that is in use. */
export function wipeLuks(device: string): Command<void, 'destroy'> {
  return {
    tool: 'wipefs',
    argv: ['--all', '--types', 'crypto_LUKS', device],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
    classify: classifyDevice,
  };
}

/** What a device is opened as. */
export interface Opening {
  readonly device: string;
  readonly name: string;
  readonly mode: 'ro' | 'rw';
  readonly key: KeyInput;
  readonly flags?: readonly ActivationFlag[];
  /** The file that its header lies in. */
  readonly header?: string | undefined;
}

/** What a device can be opened with that `cryptsetup status` tells of afterwards. */
export const activationFlags = [
  'discards',
  'same_cpu_crypt',
  'submit_from_crypt_cpus',
  'no_read_workqueue',
  'no_write_workqueue',
] as const;

type ActivationFlag = (typeof activationFlags)[number];

/** Is it a flag that a device can be opened with? */
export function isActivationFlag(text: string): text is ActivationFlag {
  return activationFlags.some((flag) => flag === text);
}

/** Opens a device. The kernel refuses a name that is taken, and cryptsetup a device that is open already: both exit 5. */
export function luksOpen({ device, name, mode, key, flags = [], header }: Opening): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: [
      ...['open', '--type', 'luks'],
      ...(mode === 'ro' ? ['--readonly'] : []),
      ...flags.map((flag) => (flag === 'discards' ? '--allow-discards' : `--perf-${flag}`)),
      ...headerOption(header),
      ...['--key-file=-', device, name],
    ],
    access: 'change',
    stdin: key,
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Makes an open device smaller or larger. LUKS2 keeps its key where cryptsetup cannot read it, and asks for one. */
export function luksResize(resize: {
  readonly name: string;
  readonly size: Bytes;
  readonly key?: KeyInput | undefined;
}): Command<void, 'change'> {
  const { name, size, key } = resize;
  return {
    tool: 'cryptsetup',
    argv: ['resize', '--device-size', String(size), ...(key === undefined ? [] : ['--key-file=-']), name],
    access: 'change',
    ...(key === undefined ? {} : { stdin: key }),
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Closes one. While it is in use the kernel refuses; cryptsetup then tries for 5 s by itself. */
export function luksClose(name: string): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: ['close', name],
    access: 'change',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Gives a mapping another name, which nobody has: the kernel refuses one that is taken. Its dm uuid stays. */
export function renameMapping(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'dmsetup',
    argv: ['rename', from, to],
    access: 'change',
    parse: nothing,
    classify: classifyDmsetup,
  };
}

/** Why dmsetup failed: it exits 1 whatever it was, and the kernel's word stands at the end. */
export function classifyDmsetup({ stderr }: Answer): Reason {
  if (/No such device or address/.test(stderr)) return 'not-found';
  // Also what a taken name is refused with.
  if (/Device or resource busy/.test(stderr)) return 'exists';
  return 'unknown';
}

/** Why cryptsetup failed. Its codes (cryptsetup(8), RETURN CODES): 2 no key fits, 3 memory, 4 no device, 5 exists or busy. */
export function classifyCryptsetup({ exitCode, stderr, stdout }: Answer): Reason {
  const said = stderr + stdout;
  if (exitCode === 2) return 'denied';
  // Without device-mapper it goes on, and says that the name "is invalid or still in use".
  if (/Cannot initialize device-mapper/.test(said)) return 'unknown';
  if (/^Key slot \d+ is full/m.test(said)) return 'exists';
  if (exitCode === 5) return /already exists/.test(said) ? 'exists' : 'busy';
  if (/is still in use|Device or resource busy|in use|Cannot exclusively open/.test(said)) return 'busy';
  if (/does not exist or access denied|is not active|No such file/.test(said)) return 'not-found';
  if (/Permission denied|Operation not permitted/.test(said)) return 'denied';
  return 'unknown';
}
