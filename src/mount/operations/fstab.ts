import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { absolutePath } from '../../file/path.ts';
import { holdsSecret, secretRemedy } from '../options.ts';
import { findmntVerify, newProblems } from '../tab/commands.ts';
import { lineBytes, lineText, word } from '../tab/fields.ts';
import {
  changedFstab,
  type FstabEntry,
  type FstabLine,
  formatFstab,
  optionsIn,
  parseFstab,
} from '../tab/fstab.ts';
import { keyOfFstab } from '../tab/tables.ts';
import { type TableFiles, tableOperation } from './table.ts';
import { isWithin } from '../../blockdevice/path.ts';

const option = z.string().check(
  z.regex(/^[^\0\ufffd]+$/, 'without bytes that are not UTF-8'),
  z.refine(
    (text) => optionsIn(text).join('\0') === text,
    'one option each; a comma only within double quotes',
  ),
  z.refine((text) => !holdsSecret(text), `it holds a password; ${secretRemedy}`),
);

const fields = {
  /** A device, `UUID=…`, a share, a word such as `tmpfs`. */
  source: word,
  /** The mount point, an absolute path, or `none` for swap. */
  target: word.check(z.regex(/^(?:\/|none$|swap$)/, 'must be an absolute path, none or swap')),
  /** Type of the filesystem, `swap` or `none`. */
  type: word.check(z.regex(/^[^\s,]+$/, 'the name of a filesystem')),
  /** Options as in fstab(5): `noatime`. */
  options: z.readonly(z.array(option)),
  /** For dump(8). */
  dump: z.int().check(z.minimum(0), z.maximum(9)),
  /** Position in which fsck(8) checks it at boot; 0: not at all. */
  pass: z.int().check(z.minimum(0), z.maximum(9)),
};

const common = {
  /** The table (default: /etc/fstab). */
  file: z.exactOptional(absolutePath),
  /** `host` (default): places and devices must exist. `syntax`: for the fstab of another system. */
  verify: z.exactOptional(z.enum(['host', 'syntax'])),
};

interface Common {
  readonly file?: string;
  readonly verify?: 'host' | 'syntax';
}

/** Appends a line to /etc/fstab. */
export const addFstab = tableOperation({
  kind: 'mount.fstab.add',
  table: 'fstab',
  args: z.strictObject({
    ...common,
    ...fields,
    /** Options as in fstab(5) (default: `defaults`). */
    options: z.exactOptional(fields.options),
    /** Field 5 of fstab(5): for dump(8) (default: 0). */
    dump: z.exactOptional(fields.dump),
    /** Field 6 of fstab(5): the order of checks at boot (default: 0, no check). */
    pass: z.exactOptional(fields.pass),
  }),
  plan: async ({ args, refuseKnown, content }) => {
    const { source, target, type, options = [], dump = 0, pass = 0 } = args;
    const entry = { source, target, type, options, dump, pass };
    const key = keyOfFstab(entry);
    refuseKnown(key);
    return { becomes: textOf(entry, formatFstab(entry)), key, ...placeFor(parseFstab(content).lines, key) };
  },
  validate: verify,
});

/** Removes the line of a mount point (for swap: of a device) from /etc/fstab. */
export const removeFstab = tableOperation({
  kind: 'mount.fstab.remove',
  table: 'fstab',
  args: z.strictObject({
    ...common,
    /** The mount point of the line; for swap, its source. */
    of: word,
  }),
  plan: async ({ args: { of }, find }) => {
    const key = keyOf(of);
    if (key === '/') throw withoutRoot('be removed');
    return { was: find(key), key };
  },
  validate: verify,
});

/** Changes fields of the line of a mount point (for swap: of a device) in /etc/fstab. */
export const changeFstab = tableOperation({
  kind: 'mount.fstab.change',
  table: 'fstab',
  args: z.strictObject({
    ...common,
    /** The mount point of the line; for swap, its source. */
    of: word,
    /** The new fields; a missing one stays as it is. */
    to: z
      .partial(z.strictObject(fields))
      .check(
        z.refine((to) => Object.values(to).some((each) => each !== undefined), 'name a field to change'),
      ),
  }),
  plan: async ({ args: { of, to }, find, refuseKnown, content }) => {
    const key = keyOf(of);
    const was = find(key);
    const old = parseFstab(content).lines.find(({ number }) => number === was.number);
    if (old === undefined) throw new TypeError('the line that was found is not there');
    const entry = changed(old, to);
    if (key === '/' && keyOfFstab(entry) !== key) throw withoutRoot('get another mount point');
    refuseKnown(keyOfFstab(entry), was);
    const becomes = textOf(entry, changedFstab(old.bytes, to));
    if (becomes === was.text)
      throw new UsageError(`the line of ${key} is already as requested: nothing would change`);
    return { was, becomes, key };
  },
  validate: verify,
});

function withoutRoot(done: string): RefusedError {
  return new RefusedError(
    `the line of the root filesystem cannot ${done}: without it the host may not boot`,
    { remedy: 'change its options: bofh mount fstab set / --options OPTIONS; or edit it yourself' },
  );
}

/**
 * Returns the index for a new line. mount(8) processes the lines in order, so mounts inside the new
 * one must come after it.
 */
function placeFor(lines: readonly FstabLine[], key: string): { readonly index?: number } {
  const inside = lines.find(({ target }) => key !== target && key.startsWith('/') && isWithin(target, key));
  return inside === undefined ? {} : { index: inside.number - 1 };
}

function keyOf(of: string): string {
  return keyOfFstab({ source: of, target: of });
}

function changed(
  old: FstabLine,
  to: { readonly [K in keyof FstabEntry]?: FstabEntry[K] | undefined },
): FstabEntry {
  return {
    source: to.source ?? old.source,
    target: to.target ?? old.target,
    type: to.type ?? old.type,
    options: to.options ?? old.options,
    dump: to.dump ?? old.dump,
    pass: to.pass ?? old.pass,
  };
}

/** Formats a line, and checks that it parses to the same entry. */
function textOf(entry: FstabEntry, bytes: string): string {
  const text = lineText(bytes);
  const [read] = parseFstab(bytes).lines;
  const isSame =
    read !== undefined &&
    keyOfFstab(read) === keyOfFstab(entry) &&
    read.source === entry.source &&
    read.type === entry.type &&
    read.dump === entry.dump &&
    read.pass === entry.pass &&
    read.options.join(',') === (entry.options.join(',') || 'defaults');
  if (text === undefined || !isSame || lineBytes(text) !== bytes)
    throw new UsageError(`the entry for ${entry.target} cannot be written as one line of fstab(5)`);
  return text;
}

/** RefusedError for a new table, before it is installed, if findmnt complains about it. */
async function verify(
  {
    args: { verify: how = 'host' },
    host,
    line,
  }: { readonly args: Common; readonly host: ReadHost; readonly line: string | null },
  { old, made }: TableFiles,
): Promise<void> {
  const before = old === undefined ? { complaints: [], unreadable: 0 } : await host.run(findmntVerify(old));
  const after = await host.run(findmntVerify(made));
  const [own] = line === null ? [] : parseFstab(lineBytes(line)).lines;
  const found = how === 'syntax' ? [] : newProblems(before, after, own);
  if (after.unreadable <= before.unreadable && found.length === 0) return;
  const words = found.map(({ target, says }) => `${target}: ${says}`).join('; ');
  // A swap area has no mount point.
  const first = own?.target === 'none' ? '' : 'create the mount point and ';
  throw new RefusedError(`findmnt --verify rejects the new line: ${words || 'the line cannot be read'}`, {
    remedy: `${first}attach the device first; or, for a device that may be missing, add the option nofail`,
  });
}
