import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError, UsageError } from '../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../core/units.ts';
import type { Pbkdf } from './key-commands.ts';

/** How hard it is to be made to guess a key. */
export const costArgs = {
  /** LUKS1 has pbkdf2 alone; the default of LUKS2 is argon2id. */
  pbkdf: z.exactOptional(z.enum(['pbkdf2', 'argon2id'])),
  /** What argon2id may take; without it as much as a small host can spare, 1 GiB at most. */
  pbkdfMemory: z.exactOptional(z.union([z.string(), z.number()])),
  /** How long opening may take on this host: 2 s unless said otherwise. */
  pbkdfTimeMs: z.exactOptional(z.int().check(z.minimum(10))),
};

interface CostArgs {
  readonly pbkdf?: Pbkdf['kdf'];
  readonly pbkdfMemory?: string | number;
}

/** Which function a key is to be derived by. UsageError when that one is not to be had so. */
export function kdfFor(version: 1 | 2, { pbkdf, pbkdfMemory: memory }: CostArgs): Pbkdf['kdf'] {
  const kdf = pbkdf ?? (version === 1 ? 'pbkdf2' : 'argon2id');
  if (version === 1 && kdf !== 'pbkdf2') throw new UsageError('LUKS1 knows pbkdf2 alone: leave pbkdf out');
  if (kdf === 'pbkdf2' && memory !== undefined)
    throw new UsageError('pbkdf2 takes no memory: leave pbkdfMemory out');
  return kdf;
}

/** Bytes that opening it may take; null: pbkdf2 takes none. */
export async function memoryFor(
  host: ReadHost,
  kdf: Pbkdf['kdf'],
  { pbkdfMemory: asked }: CostArgs,
): Promise<Bytes | null> {
  if (kdf === 'pbkdf2') return null;
  return pbkdfMemory(host, asked === undefined ? undefined : parseSize(asked));
}

const mib = 1024 ** 2;
/** What cryptsetup 2.6 takes by itself, whatever the host that is to open the device later can spare. */
const usual = 1024 * mib;
/** cryptsetup takes no less (lib/utils_pbkdf.c, `MIN_MEMORY_COST`). */
const least = 32 * 1024;

/**
 * How much memory opening a key slot may take: what was asked, if this host has it; else so much that a small dom0 can
 * open it as well, a quarter of this host's memory and half of what is free, 1 GiB at most.
 */
async function pbkdfMemory(host: ReadHost, asked: Bytes | undefined): Promise<Bytes> {
  const { total, available } = await memoryOf(host);
  if (asked === undefined) {
    const fits = Math.min(usual, total / 4, available / 2);
    return Math.max(least, fits < mib ? Math.floor(fits) : Math.floor(fits / mib) * mib);
  }
  if (asked < least)
    throw new RefusedError(`${formatSize(asked)} of memory for the key is too little`, {
      remedy: `ask for ${formatSize(least)} at least`,
    });
  if (asked <= available) return asked;
  throw new RefusedError(
    `opening a key that takes ${formatSize(asked)} of memory would fail here: ${formatSize(available)} is available`,
    { remedy: 'ask for less, or for pbkdf2, which takes none' },
  );
}

async function memoryOf(host: ReadHost): Promise<{ readonly total: Bytes; readonly available: Bytes }> {
  const text = new TextDecoder().decode(await host.readFile('/proc/meminfo'));
  const bytes = (name: string): Bytes => {
    const { kib } = new RegExp(`^${name}: +(?<kib>\\d+) kB$`, 'm').exec(text)?.groups ?? {};
    if (kib === undefined) throw new ParseError(`/proc/meminfo has no ${name}`);
    return Number(kib) * 1024;
  };
  return { total: bytes('MemTotal'), available: bytes('MemAvailable') };
}
