import type { Answer, Command, KeyInput } from '../command/index.ts';
import { nothing } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import { classifyCryptsetup } from './classify.ts';

const progress = ['--progress-json', '--progress-frequency', '1'] as const;

/** The new encryption of the data. */
export interface NewCipher {
  /** Missing: unchanged. */
  readonly cipher?: string | undefined;
  /** Size of the volume key, in bits. Missing: unchanged. */
  readonly keySize?: number | undefined;
  /** The protection of the part in progress against a crash. Never `none`. */
  readonly resilience: 'checksum' | 'journal';
}

/**
 * Reencrypts all data of a closed device with a new volume key in a new key slot, and removes the
 * old slot. With `--key-file`, cryptsetup accepts only a device that has a single key (2.6.1). The
 * header records the progress, so that `resumeReencrypt` can resume it.
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

/** Resumes a reencryption. If a part was torn, the command fails and demands a repair. */
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

/** Repairs the part that was torn by a crash. Does nothing for any other device (exit code 0). */
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

/**
 * Finds why a reencryption failed. While one is in progress, cryptsetup exits with 1 and no message
 * for a wrong key (2.6.1).
 */
function classifyReencrypt(answer: Answer): Reason {
  if (answer.exitCode === 1 && answer.stdout + answer.stderr === '') return 'denied';
  return classifyCryptsetup(answer);
}

/**
 * Reads the progress, a line each second:
 * `{"device":"/dev/vdb","device_bytes":"259653632","device_size":"1241513984",…}`.
 */
function partDone(output: string): number | undefined {
  const last = [...output.matchAll(/"device_bytes":"(?<bytes>\d+)","device_size":"(?<size>\d+)"/g)].at(-1);
  const { bytes, size } = last?.groups ?? {};
  return bytes === undefined || Number(size) === 0 ? undefined : Number(bytes) / Number(size);
}
