import { createHash } from 'node:crypto';
import { type KeyInput, Secret } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { readFile } from './files.ts';
import type { World } from './world.ts';

/**
 * Returns what a program of the simulated host reads. A key from a file is the content of the file.
 * A key that is typed, printed or passed by systemd does not exist here: its reference is used
 * instead, so that the same reference is the same key.
 */
export function inputText(world: World, input: Secret | KeyInput | Uint8Array | string): string {
  if (typeof input === 'string') return input;
  if (input instanceof Uint8Array) return Buffer.from(input).toString('latin1');
  if (input instanceof Secret) return Buffer.from(input.reveal()).toString('latin1');
  const { key } = input;
  // A plan asks for no key, and reads none.
  if (key.from !== 'file' || world.overlay !== undefined) return JSON.stringify(key);
  const bytes = readFile(world, key.path);
  if (bytes.length === 0)
    throw new RefusedError(`the key from the file ${key.path} is empty`, {
      remedy: 'write the key into the file',
    });
  return Buffer.from(bytes).toString('latin1');
}

/** Key of a slot of a real host: a plan gets no key, so every key opens the slot. */
export const anyKey = 'any';

/** Returns what the model remembers of a key; the snapshot of a host shows it. */
export function fingerprintOf(key: string): string {
  return createHash('sha256').update(key, 'latin1').digest('hex').slice(0, 16);
}
