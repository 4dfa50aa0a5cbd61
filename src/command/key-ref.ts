import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';
import { checkText } from '../core/checks.ts';

/** The source of a key. The journal contains this, never the key. */
export type KeyRef =
  /** A key named in the site file. */
  | {
      /** A key of the site file. */
      readonly from: 'site';
      /** Its name among `keys` of the site file. */
      readonly name: string;
    }
  /** Every byte of a file, as with cryptsetup's own `--key-file` and crypttab(5). */
  | {
      /** A key file. */
      readonly from: 'file';
      /** Absolute path of the file. */
      readonly path: string;
    }
  /** The output of a program, without the newline at its end. */
  | {
      /** A program that prints the key. */
      readonly from: 'command';
      /** The program, by its absolute path, and its arguments. */
      readonly argv: readonly string[];
    }
  /**
   * Every byte of a credential that systemd passed to this service (systemd.exec(5),
   * `LoadCredential=`).
   */
  | {
      /** A credential of systemd. */
      readonly from: 'credential';
      /** Its name in the unit. */
      readonly name: string;
    }
  /** What an administrator types, without the newline. */
  | {
      /** Asks on the terminal. */
      readonly from: 'ask';
    };

const absolute = z.string().check(z.regex(/^\/[^\0]+$/, 'an absolute path'));
const name = z.string().check(z.regex(/^[\w.:@-]+$/, 'a name of letters, digits and . : @ _ -'));

/** A `KeyRef`, checked. */
export const keyRef = z.discriminatedUnion('from', [
  z.strictObject({
    /** A key of the site file. */
    from: z.literal('site'),
    /** Its name among `keys` of the site file. */
    name,
  }),
  z.strictObject({
    /** A key file: every byte of it. */
    from: z.literal('file'),
    /** Absolute path of the file. */
    path: absolute,
  }),
  z.strictObject({
    /** A program that prints the key. */
    from: z.literal('command'),
    /** The program, by its absolute path, and its arguments. */
    argv: z
      .readonly(z.array(z.string()))
      .check(z.refine(([program]) => program?.startsWith('/') === true, 'a program by its absolute path')),
  }),
  z.strictObject({
    /** A credential of systemd. */
    from: z.literal('credential'),
    /** Its name in the unit. */
    name: name.check(z.regex(/^(?!\.\.?$)/)),
  }),
  z.strictObject({
    /** Asks on the terminal. */
    from: z.literal('ask'),
  }),
]);

/**
 * A key for a program: the host fetches it when the program starts, and passes it only to this
 * program.
 */
export interface KeyInput {
  /** Where the key comes from. */
  readonly key: KeyRef;
  /** `new`: asked twice, because nothing could detect a typing mistake. */
  readonly use: 'present' | 'new';
  /** What the key opens, for the question. */
  readonly of: string;
}

/**
 * Reads `file:/PATH`, `command:/PROGRAM ARG…` (split at blanks), `credential:NAME`, `site:NAME` or
 * `ask`. Throws UsageError; `name` is the option that its message names.
 */
export function parseKeyRef(text: string, name = 'key'): KeyRef {
  checkText('the key', text);
  const { from, rest = '' } = /^(?<from>file|command|credential|site):(?<rest>.+)$/s.exec(text)?.groups ?? {};
  const parsed = keyRef.safeParse(text === 'ask' ? { from: 'ask' } : { from, ...ofSort(from, rest) });
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `${name} ${text}: must be file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask`,
  );
}

/** Formats the source of a key for `parseKeyRef`. */
export function keyRefText(key: KeyRef): string {
  switch (key.from) {
    case 'file':
      return `file:${key.path}`;
    case 'command':
      return `command:${key.argv.join(' ')}`;
    case 'ask':
      return 'ask';
    default:
      return `${key.from}:${key.name}`;
  }
}

/** Describes the source of a key: `the file /root/key`. */
export function keyInWords(key: KeyRef): string {
  switch (key.from) {
    case 'site':
      return `the site's key ${key.name}`;
    case 'file':
      return `the file ${key.path}`;
    case 'command':
      return `the command ${key.argv[0] ?? ''}`;
    case 'credential':
      return `the credential ${key.name}`;
    case 'ask':
      return 'a person';
  }
}

function ofSort(from: string | undefined, rest: string) {
  if (from === 'file') return { path: rest };
  return from === 'command' ? { argv: rest.split(' ').filter((word) => word !== '') } : { name: rest };
}
