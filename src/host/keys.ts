import { posix } from 'node:path';
import { type KeyInput, keyInWords, type KeyRef, refuseExposed, Secret } from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { withoutCoreDumps } from './core-dumps.ts';
import { fileReads } from './files.ts';
import { endInWords } from './program.ts';
import { collect } from './start.ts';
import { turns } from './turns.ts';

/** Sources for keys that are neither in a file nor printed by a program. */
export interface KeyOptions {
  /** The keys that the site file names. */
  readonly siteKeys?: () => Readonly<Record<string, KeyRef>>;
  /** Asks at the terminal, without an echo. Missing: keys that must be typed are refused. */
  readonly askKey?: (question: string) => Promise<string>;
}

/**
 * Returns the bytes that a program will read: a key is fetched, everything else is returned as it
 * is.
 */
export type FetchInput = <T extends Secret | Uint8Array | string>(input: T | KeyInput) => Promise<T | Secret>;

/** The maximum size of a key for cryptsetup, in bytes (`cryptsetup --help`: "Maximum keyfile size: 8192kB"). */
const longest = 8 * 1024 * 1024;
/** Keys are always read on this host, also for a program on another host. */
const thisHost = { name: '', ...fileReads };
const commandLimitMs = 120_000;

/**
 * A process has only one terminal, so bofh asks one question at a time. It asks for the repetition of a new
 * key right after the first input.
 */
const questions = turns(1);

/** Asks for a typed key once for each Host object; fetches keys from other sources every time. */
export function keyFetcher(options: KeyOptions, env: Readonly<Record<string, string>>): FetchInput {
  const typed = new Map<string, Promise<Secret>>();
  const fetch = async (input: KeyInput, key: KeyRef = input.key, depth = 0): Promise<Secret> => {
    await withoutCoreDumps(env);
    switch (key.from) {
      case 'site':
        return fetch(input, siteKey(options, key.name, depth), depth + 1);
      case 'file':
        // Anyone who can write or replace the file chooses the key of the device.
        await refuseExposed(thisHost, key.path, 'content');
        return checked(await fileReads.readFile(key.path), key);
      case 'credential':
        return checked(await fileReads.readFile(posix.join(credentials(), key.name)), key);
      case 'command':
        await refuseExposed(thisHost, key.argv[0] ?? '', 'content');
        return checked(await printed(key.argv, env), key);
      case 'ask': {
        const label = labelOf(input);
        const before = typed.get(label);
        if (before !== undefined) return before;
        const asked = questions.take(() => ask(input, options.askKey));
        typed.set(label, asked);
        try {
          return await asked;
        } catch (error) {
          // After a mistyped key bofh may ask again.
          typed.delete(label);
          throw error;
        }
      }
    }
  };
  return (input) => (isKey(input) ? fetch(input) : Promise.resolve(input));
}

function isKey(input: Secret | Uint8Array | string | KeyInput): input is KeyInput {
  return typeof input === 'object' && 'key' in input;
}

function labelOf({ use, of }: KeyInput): string {
  return `${use === 'new' ? 'New key' : 'Key'} of ${of}`;
}

function siteKey({ siteKeys }: KeyOptions, name: string, depth: number): KeyRef {
  const keys = siteKeys?.() ?? {};
  const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
  if (key === undefined)
    throw new UsageError(`the site file has no key "${name}"`, {
      remedy: 'add it to keys of the site file, or name the source of the key: --key file:/PATH',
    });
  if (depth > 8)
    throw new UsageError(
      `the key "${name}" of the site file refers to itself, or to more than 8 other keys`,
      {
        remedy: `in keys of the site file, name the source of "${name}" instead of another key: file:/PATH`,
      },
    );
  return key;
}

function credentials(): string {
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  if (directory?.startsWith('/') === true) return directory;
  throw new RefusedError('systemd passed no credentials to this process', {
    remedy:
      'run it as a service with LoadCredential= (systemd.exec(5)), or name another source of the key: --key file:/PATH',
  });
}

function checked(bytes: Uint8Array, key: KeyRef): Secret {
  const from = keyInWords(key);
  if (bytes.length === 0)
    throw new RefusedError(`the key from ${from} is empty`, {
      remedy: 'write the key there, or name another source: --key file:/PATH',
    });
  if (bytes.length > longest)
    throw new RefusedError(
      `the key from ${from} has more than 8 MiB, and cryptsetup would read only a part of it`,
      {
        remedy: 'use a shorter key (default of cryptsetup: at most 8 MiB)',
      },
    );
  return new Secret(bytes);
}

/** Runs the program that prints a key. Its output must never be in an error. */
async function printed(
  [file = '', ...argv]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const program = { tool: file, file, argv };
  const { end, stdout } = await collect(program, { env, timeoutMs: commandLimitMs });
  if (end.how !== 'exit' || end.exitCode !== 0)
    throw new CommandError({
      ...{ tool: file, argv: [], reason: 'unknown' },
      what: `it should print a key, but ended with ${endInWords(end)}`,
    });
  return stdout.at(-1) === 0x0a ? stdout.subarray(0, -1) : stdout;
}

async function ask(input: KeyInput, askKey: KeyOptions['askKey']): Promise<Secret> {
  const question = labelOf(input);
  if (askKey === undefined)
    throw new RefusedError(`${question} must be typed, but this process cannot ask for it`, {
      remedy: 'run the command on a terminal, or name the source of the key: --key file:/PATH',
    });
  const text = await askKey(`${question}: `);
  if (input.use === 'new' && (await askKey(`${question}, once more: `)) !== text)
    throw new RefusedError(`${question}: the two keys that were typed differ`, {
      remedy: 'run the command again',
    });
  return checked(Buffer.from(text), { from: 'ask' });
}
