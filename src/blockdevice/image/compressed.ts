import {
  type Answer,
  type Command,
  errnoReason,
  nothing,
  type ReadCommand,
  stderrAlone,
} from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { classifyDevice } from '../commands.ts';

/** Reads this many bytes of a device, from its first byte, to stdout. */
export function readDevice(device: string, size: Bytes): Command<void, 'change'> {
  const how = ['bs=1M', 'iflag=fullblock,count_bytes', `count=${size}`, 'status=none'];
  return stage('dd', [`if=${device}`, ...how], classifyDevice);
}

/**
 * Writes stdin to a device from its first byte, durably. `holes`: does not write blocks of
 * zeros; only for a device that is all zeros.
 */
export function writeDevice(device: string, zeros: 'written' | 'holes'): Command<void, 'change'> {
  const conv = `conv=${zeros === 'holes' ? 'sparse,' : ''}nocreat,notrunc,fsync`;
  return stage('dd', [`of=${device}`, 'bs=1M', 'iflag=fullblock', conv, 'status=none'], classifyDevice);
}

/**
 * `zstd` from stdin to stdout, with a checksum of the content (XXH64) in the frame. Fails (exit
 * code 11) if stdin does not have exactly that size, which the frame records too.
 */
export function compress(size: Bytes): Command<void, 'change'> {
  return stage('zstd', ['--compress', '--stdout', '--quiet', `--stream-size=${size}`]);
}

/**
 * Decompresses a file, or stdin, to stdout. Exits with 1 for a file that is truncated, or whose
 * content does not match the checksum of its frame; before that it has written the content up to
 * the damage.
 */
export function decompress(file?: string): Command<void, 'change'> {
  return stage('zstd', ['--decompress', '--stdout', '--quiet', ...(file === undefined ? [] : ['--', file])]);
}

/**
 * `age` encrypts stdin to stdout, for anyone who has the secret key of one of these recipients: public keys of age or
 * SSH, or absolute paths of files with such keys.
 */
export function encrypt(recipients: readonly string[]): Command<void, 'change'> {
  const words = recipients.flatMap((each) => [
    each.startsWith('/') ? '--recipients-file' : '--recipient',
    each,
  ]);
  return stage('age', ['--encrypt', ...words]);
}

/** `age` decrypts a file to stdout, with the secret keys in another file. */
export function decrypt(file: string, identity: string): Command<void, 'change'> {
  return stage('age', ['--decrypt', '--identity', identity, file]);
}

/**
 * Writes stdin to a file and to stdout. Without --output-error=exit, tee would read on when the
 * disk is full.
 */
export function teeInto(file: string): Command<void, 'change'> {
  return stage('tee', ['--output-error=exit', file]);
}

/** SHA-256 of stdin, as the last command of a pipeline that `sha256Of` parses. */
export function sha256Stdin(): Command<void, 'change'> {
  return stage('sha256sum', []);
}

/** SHA-256 of a file of any size. */
export function sha256File(file: string): ReadCommand<string> {
  return {
    tool: 'sha256sum',
    argv: ['--', file],
    access: 'read',
    // sha256sum reads the whole file.
    timeoutMs: 24 * 3600_000,
    parse: sha256Of,
    classify: errnoReason,
  };
}

/** Parses the digest. sha256sum puts a backslash before a name that it had to quote. */
export function sha256Of({ stdout }: Answer): string {
  const hash = /^\\?(?<hash>[0-9a-f]{64}) [ *].*\n$/.exec(stdout)?.groups?.hash;
  if (hash === undefined) throw new ParseError('sha256sum: its output could not be parsed');
  return hash;
}

function stage(
  tool: 'age' | 'dd' | 'sha256sum' | 'tee' | 'zstd',
  argv: readonly string[],
  why: (answer: Answer) => Reason = errnoReason,
): Command<void, 'change'> {
  // What age, dd and zstd write to stdout is the content of a device.
  return { tool, argv, access: 'change', stop: 'safe', parse: nothing, shownOf: stderrAlone, classify: why };
}
