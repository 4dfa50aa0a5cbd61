import * as z from 'zod/mini';
import { RefusedError, UsageError } from '../core/errors.ts';
import { numberOf, words } from '../file/acl.ts';

const entryForm = /^(?<tag>u|user|g|group|m|mask|o|other):(?<name>[^:\s,]*):(?<may>[rwx-]{1,3}|[0-7])$/;
const tags: Readonly<Record<string, string>> = { u: 'user', g: 'group', m: 'mask', o: 'other' };

/**
 * Schema of entries of setfacl(1). Returns them in their long form: `u:web:rx` becomes
 * `user:web:r-x`.
 */
function entries(refusal: (tag: string, name: string) => string | undefined) {
  const wrong = (text: string): string | undefined => {
    const { tag, name = '', may = '' } = entryForm.exec(text)?.groups ?? {};
    if (/^d(?:efault)?:/.test(text)) return 'belongs in defaultAcl of h.directory, without "default:"';
    if (tag === undefined) return 'must be an entry as of setfacl(1), such as user:www-data:r-x';
    if (/(?<bit>[rwx]).*\k<bit>/.test(may)) return 'names a permission twice: write each of r, w and x once';
    const long = tags[tag] ?? tag;
    if (name !== '' && (long === 'mask' || long === 'other')) return `must be ${long}::rwx, without a name`;
    return refusal(long, name);
  };
  const text = z.string().check(({ value, issues }) => {
    const message = wrong(value);
    if (message !== undefined)
      issues.push({ code: 'custom', input: value, message: `"${value}" ${message}` });
  });
  const long = z.pipe(text, z.transform(inLongForm));
  return z
    .readonly(z.array(long))
    .check(z.refine((all) => new Set(all.map(keyOf)).size === all.length, 'names an entry twice'));
}

function inLongForm(text: string): string {
  const { tag = '', name = '', may = '' } = entryForm.exec(text)?.groups ?? {};
  const number = /^\d$/.test(may) ? Number(may) : numberOf(may);
  return `${tags[tag] ?? tag}:${name}:${words(number)}`;
}

/** `acl` of a description. */
export const acl = entries((tag, name) =>
  tag === 'other' || (tag !== 'mask' && name === '')
    ? 'is not for acl: the mode has the permissions of owner, group and others'
    : undefined,
);

/** `defaultAcl` of a description. */
export const defaultAcl = entries(() => undefined);

interface Lists {
  readonly acl?: readonly string[];
  readonly defaultAcl?: readonly string[];
}

/** Returns the users, or groups, that the ACLs name. */
export function namedIn(lists: Lists, kind: 'user' | 'group'): readonly string[] {
  return [...(lists.acl ?? []), ...(lists.defaultAcl ?? [])].flatMap((text) => {
    const [tag, name = ''] = text.split(':');
    return tag === kind && name !== '' ? [name] : [];
  });
}

/**
 * UsageError for a mode whose group bits the mask of the same description does not allow. Otherwise
 * the group could do less than the mode says.
 */
export function refuseNarrowMask(what: string, wanted: Lists & { readonly mode?: number }): void {
  const mask = wanted.acl?.find((text) => text.startsWith('mask:'));
  if (mask === undefined || wanted.mode === undefined) return;
  const group = (wanted.mode >> 3) & 7;
  if ((group & ~numberOf(mask.slice(-3))) === 0) return;
  throw new UsageError(
    `${what}: mode 0${wanted.mode.toString(8).padStart(3, '0')} gives the group ${words(group)}, but ${mask} does not allow that`,
    { remedy: 'omit the mask, or give the group no more than the mask in the mode' },
  );
}

/**
 * Replaces names by numbers. Digits are a number, as for setfacl(1). RefusedError if they are also
 * the name of an account with another number, or if two entries have the same number.
 */
export async function byNumber(
  all: readonly string[],
  numbers: {
    readonly find: (kind: 'user' | 'group', name: string) => Promise<number | undefined>;
    readonly get: (kind: 'user' | 'group', name: string) => Promise<number>;
  },
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const text of all) {
    const [kind, name = '', bits = ''] = text.split(':');
    if ((kind !== 'user' && kind !== 'group') || name === '') found.push(text);
    else if (!/^\d+$/.test(name)) found.push(`${kind}:${String(await numbers.get(kind, name))}:${bits}`);
    else {
      const named = await numbers.find(kind, name);
      if (named !== undefined && named !== Number(name))
        throw new RefusedError(
          `the ACL entry ${text} is ambiguous: there is a ${kind} with the name ${name}, whose number is ${String(named)}`,
          { remedy: `for the ${kind} with this name, write ${kind}:${String(named)}:${bits}` },
        );
      found.push(`${kind}:${String(Number(name))}:${bits}`);
    }
  }
  const twice = found.find((text, index) =>
    found.some((other, at) => at < index && keyOf(other) === keyOf(text)),
  );
  if (twice !== undefined)
    throw new RefusedError(`two entries of one ACL are for ${keyOf(twice)}`, {
      remedy: 'remove one of them',
    });
  return found;
}

function keyOf(text: string): string {
  return text.slice(0, text.lastIndexOf(':'));
}
