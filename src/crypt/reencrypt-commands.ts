import type { Answer, Command, KeyInput } from '../command/index.ts';
import { nothing } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import { classifyCryptsetup } from './classify.ts';

const progress = ['--progress-json', '--progress-frequency', '1'] as const;

/** How the data are to be encrypted from now on. */
export interface NewCipher {
  /** Without it as now. */
  readonly cipher?: string | undefined;
  /** Bits; without it as now. */
  readonly keySize?: number | undefined;
  /** How the part at work is kept safe from a crash. Never `none`. */
  readonly resilience: 'checksum' | 'journal';
}

/**
 * Encrypts all data of a closed device anew, by a new volume key in a key slot of its own; the old slot goes. It takes the one
 * key of a device with one key alone (2.6.1). Its header says how far it is, so that `luksResume` can go on with it.
 */
export function luksReencrypt(
  of: NewCipher & { readonly device: string; readonly key: KeyInput },
): Command<void, 'destroy'> {
  const { cipher, keySize, resilience } = of;
  return reencrypt(of, [
    ...progress,
    ...['--resilience', resilience],
    ...(cipher === undefined ? [] : ['--cipher', cipher]),
    ...(keySize === undefined ? [] : ['--key-size', String(keySize)]),
  ]);
}

/** Goes on with one that was begun. Of one with a part that was torn it says to repair it first. */
export function resumeReencrypt(of: {
  readonly device: string;
  readonly key: KeyInput;
}): Command<void, 'destroy'> {
  return reencrypt(of, ['--resume-only', ...progress]);
}

function reencrypt(
  { device, key }: { readonly device: string; readonly key: KeyInput },
  options: readonly string[],
): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['reencrypt', '--batch-mode', ...options, '--key-file=-', device],
    access: 'destroy',
    stdin: key,
    parse: nothing,
    classify: classifyReencrypt,
    progress: partDone,
  };
}

/** Brings the part that was torn by a crash to an end. Of any other device it does nothing, exit 0. */
export function repairTorn({
  device,
  key,
}: {
  readonly device: string;
  readonly key: KeyInput;
}): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: ['repair', '--batch-mode', '--key-file=-', device],
    access: 'change',
    stdin: key,
    parse: nothing,
    classify: classifyReencrypt,
  };
}

/** Where a reencryption has begun, a key that does not fit is exit 1 without a word (2.6.1). */
function classifyReencrypt(answer: Answer): Reason {
  if (answer.exitCode === 1 && answer.stdout + answer.stderr === '') return 'denied';
  return classifyCryptsetup(answer);
}

/** `{"device":"/dev/vdb","device_bytes":"259653632","device_size":"1241513984",…}`, a line each second. */
function partDone(output: string): number | undefined {
  const last = [...output.matchAll(/"device_bytes":"(?<bytes>\d+)","device_size":"(?<size>\d+)"/g)].at(-1);
  const { bytes, size } = last?.groups ?? {};
  return bytes === undefined || Number(size) === 0 ? undefined : Number(bytes) / Number(size);
}
