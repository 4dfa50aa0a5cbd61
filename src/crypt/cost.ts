import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { type Bytes, formatSize, parseSize } from '../core/units.ts';
import type { Pbkdf } from './key-commands.ts';
import { sizeOption } from '../core/request.ts';

/** How expensive it must be to guess a key. */
export const costArgs = {
  /** LUKS1 supports only pbkdf2; the default of LUKS2 is argon2id. */
  pbkdf: z.exactOptional(z.enum(['pbkdf2', 'argon2id'])),
  /** Memory for argon2id; missing: as much as a small host can spare, at most 1 GiB. */
  pbkdfMemory: z.exactOptional(sizeOption),
  /** The time that opening may take on this host (default: 2s). */
  pbkdfTimeMs: z.exactOptional(z.int().check(z.minimum(10))),
};

interface CostArgs {
  readonly pbkdf?: Pbkdf['kdf'];
  readonly pbkdfMemory?: string | number;
}

/**
 * Chooses the key derivation function of a key slot. UsageError if it does not support the request.
 */
export function kdfFor(version: 1 | 2, { pbkdf, pbkdfMemory: memory }: CostArgs): Pbkdf['kdf'] {
  const kdf = pbkdf ?? (version === 1 ? 'pbkdf2' : 'argon2id');
  if (version === 1 && kdf !== 'pbkdf2')
    throw new UsageError(`LUKS1 supports only pbkdf2: leave out ${option('--pbkdf', '`pbkdf`')}`);
  if (kdf === 'pbkdf2' && memory !== undefined)
    throw new UsageError(`pbkdf2 uses no memory: leave out ${option('--pbkdf-memory', '`pbkdfMemory`')}`);
  return kdf;
}

/** Returns how many bytes of memory opening the slot needs; null: pbkdf2 needs none. */
export async function memoryFor(
  host: ReadHost,
  kdf: Pbkdf['kdf'],
  { pbkdfMemory: asked }: CostArgs,
): Promise<Bytes | null> {
  if (kdf === 'pbkdf2') return null;
  return pbkdfMemory(host, asked === undefined ? undefined : parseSize(asked));
}

const mib = 1024 ** 2;
/** The default of cryptsetup 2.6: a host that opens the device later may have less. */
const usual = 1024 * mib;
/** The minimum of cryptsetup (lib/utils_pbkdf.c, `MIN_MEMORY_COST`). */
const least = 32 * 1024;

/**
 * Returns the memory that opening a key slot may need: the requested amount (RefusedError if this host
 * does not have it); without a request, an amount that a small dom0 can spare too: a quarter of this
 * host's memory, half of its free memory or 1 GiB, whichever is least.
 */
async function pbkdfMemory(host: ReadHost, asked: Bytes | undefined): Promise<Bytes> {
  const { total, available } = await memoryOf(host);
  if (asked === undefined) {
    const fits = Math.min(usual, total / 4, available / 2);
    return Math.max(least, fits < mib ? Math.floor(fits) : Math.floor(fits / mib) * mib);
  }
  if (asked < least)
    throw new RefusedError(`${formatSize(asked)} of memory for the key is too little`, {
      remedy: `use at least ${formatSize(least)}: ${option('--pbkdf-memory SIZE', 'pbkdfMemory')}`,
    });
  if (asked <= available) return asked;
  throw new RefusedError(
    `the key would need ${formatSize(asked)} of memory each time it opens the device, but only ${formatSize(available)} is available on this host`,
    {
      remedy: `use less memory: ${option('--pbkdf-memory SIZE', 'pbkdfMemory')}; or pbkdf2, which needs none: ${option('--pbkdf pbkdf2', "pbkdf: 'pbkdf2'")}`,
    },
  );
}

/**
 * Returns the memory for a key that this host, and a guest with `guest` bytes of memory, can both spare when
 * they open the device.
 */
export async function memoryWithGuest(host: ReadHost, guest: Bytes): Promise<Bytes> {
  const fits = Math.min(await pbkdfMemory(host, undefined), guest / 4);
  return Math.max(least, Math.floor(fits / mib) * mib);
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
