import { type Command, type KeyInput, nothing, secondKeyPath } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { classifyCryptsetup } from './classify.ts';

/** The key derivation cost of a key slot. */
export interface Pbkdf {
  /** LUKS1 supports only pbkdf2. */
  readonly kdf: 'pbkdf2' | 'argon2id';
  /** The maximum for argon2id; the benchmark of cryptsetup chooses no more. */
  readonly memory?: Bytes | undefined;
  /** The time that opening the slot may take on this host (default: 2s). */
  readonly timeMs?: number | undefined;
}

/** Returns the options of cryptsetup for this cost. */
export function pbkdfOptions({ kdf, memory, timeMs }: Pbkdf): readonly string[] {
  return [
    ...['--pbkdf', kdf],
    ...(memory === undefined ? [] : ['--pbkdf-memory', String(Math.floor(memory / 1024))]),
    ...(timeMs === undefined ? [] : ['--iter-time', String(timeMs)]),
  ];
}

/**
 * Adds a second key in a free slot; cryptsetup refuses a used slot. `key` is one that opens the
 * device already.
 */
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

/**
 * Destroys a key slot, even the last one: without a key on stdin cryptsetup does not ask
 * (cryptsetup-luksKillSlot(8), NOTE).
 */
export function luksKillSlot(device: string, slot: number): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksKillSlot', '--batch-mode', device, String(slot)],
    access: 'destroy',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Destroys every key slot. The LUKS header stays. */
export function luksErase(device: string): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksErase', '--batch-mode', device],
    access: 'destroy',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}
