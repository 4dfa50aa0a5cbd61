import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';

/**
 * Options of a mount, in either form: `['nodev', 'commit=5']`, one option each, or `{ nodev: true,
 * commit: 5 }`. Each one as mount(8) accepts it between two commas; `mode` sets read-only.
 */
export type MountOptions = readonly string[] | Readonly<Record<string, true | string | number>>;

// These options change what the mount is, so that the undo would not match it.
const refused =
  /^(?:ro|rw|remount|r?bind|move|loop|offset|sizelimit|r?(?:shared|slave|private|unbindable)|u?helper|[xX]-.*)(?:=.*)?$/s;

// mount.cifs(8), mount.ceph(8), mount.ecryptfs(8), mount.davfs(8): an option that names a file is
// no secret.
const secret = /^(?:[\w.-]*(?:pass|pwd|secret)[\w.-]*|key)=(?!\s*$)/i;
const secretFile = /^[\w.-]*(?:file|_fd|fnek_sig|credentials)[\w.-]*=/i;
const userWithPassword = /^user(?:name)?=.*%/is;

const oneOption = /^[^\s,"\\]+$/;

/**
 * Whether an option contains a password. It would appear in the journal, in /proc/PID/cmdline and
 * in the system log.
 */
export function holdsSecret(option: string): boolean {
  return (secret.test(option) && !secretFile.test(option)) || userWithPassword.test(option);
}

/** The remedy does not contain the option itself, which is the secret. */
export const secretRemedy =
  'write the password into a file that only root may read, and name that: credentials=FILE (cifs), secretfile=FILE (ceph)';

const option = z.string().check(
  z.regex(oneOption, 'one option each, without commas, quotes or spaces'),
  z.refine((text) => !refused.test(text), 'not an option that bofh allows for a mount'),
  z.refine((text) => !holdsSecret(text), `it holds a password; ${secretRemedy}`),
);

const named = z
  .record(z.string(), z.union([z.literal(true), z.string(), z.number()]))
  .check(
    z.refine(
      (options) => wordsOf(options).every((word) => option.safeParse(word).success),
      `each must be an option that bofh allows for a mount, without commas, quotes, spaces or a password; ${secretRemedy}`,
    ),
  );

/** The mount options of a step, in the form in which they were given. */
export const mountOptions = z
  .union([z.readonly(z.array(option)), z.readonly(named)])
  .check(z.refine((options) => repeated(wordsOf(options)) === undefined, 'an option is given twice'));

/** Returns the options for mount(8), in order. */
export function wordsOf(options: MountOptions | undefined): readonly string[] {
  if (options === undefined) return [];
  if (isList(options)) return options;
  return Object.entries(options).map(([name, value]) => (value === true ? name : `${name}=${String(value)}`));
}

/**
 * UsageError for an option with a password, before anything else happens, because the system log
 * and the journal get a verb with its arguments. The error does not contain the option.
 */
export function refuseSecrets(options: readonly string[]): void {
  for (const [index, word] of options.entries())
    if (word.split(',').some(holdsSecret))
      throw new UsageError(
        `option ${String(index + 1)} contains a password: the journal would contain it too, and every user could see it in the list of processes`,
        { remedy: secretRemedy },
      );
}

function isList(options: MountOptions): options is readonly string[] {
  return Array.isArray(options);
}

/**
 * Returns an option given twice, whatever its value: mount(8) uses the last one, and the intent is
 * unknown.
 */
function repeated(words: readonly string[]): string | undefined {
  const names = words.map((word) => word.replace(/=.*$/s, ''));
  return names.find((name, index) => names.indexOf(name) !== index);
}
