import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../errors.ts';
import { type Bytes, formatSize } from '../units.ts';

const mib = 1024 ** 2;
/** What cryptsetup 2.6 takes by itself, whatever the host that is to open the device later can spare. */
const usual = 1024 * mib;
/** cryptsetup takes no less (lib/utils_pbkdf.c, `MIN_MEMORY_COST`). */
const least = 32 * 1024;

/**
 * How much memory opening a key slot may take: what was asked, if this host has it; else so much that a small dom0 can
 * open it as well, a quarter of this host's memory and half of what is free, 1 GiB at most.
 */
export async function pbkdfMemory(host: ReadHost, asked: Bytes | undefined): Promise<Bytes> {
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
