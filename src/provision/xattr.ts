import * as z from 'zod/mini';
import { isXattrName, largestXattr } from '../file/xattr.ts';

/** The attributes that a description may not have, each with what to use instead. */
const instead: readonly (readonly [RegExp, string])[] = [
  [/^system\.posix_acl_/, 'is an ACL: use acl, or defaultAcl of h.directory'],
  [/^security\.capability$/, 'has capabilities: use h.script with setcap(8)'],
  [/^security\./, 'belongs to a security module of the kernel: use h.script with the program of that module'],
  [/^system\./, 'belongs to the filesystem: use h.script with the program of that filesystem'],
];

function refusal(name: string): string | undefined {
  const [, why] = instead.find(([pattern]) => pattern.test(name)) ?? [];
  if (why !== undefined || isXattrName(name)) return why;
  return 'must begin with user. or trusted., have at most 255 characters of ASCII, and no space, "=" or "\\"';
}

const bytes = z.pipe(
  z.union([z.string(), z.instanceof(Uint8Array)], 'must be a text, bytes, or null to remove it'),
  z.transform((given) => Buffer.from(given)),
);

/** `xattrs` of a description: the bytes of each attribute, or null for one that must be absent. */
export const xattrs = z.readonly(
  z
    .record(
      z.string(),
      z.nullable(bytes.check(z.refine((all) => all.length <= largestXattr, 'is longer than 64 KiB'))),
    )
    .check(({ value, issues }) => {
      for (const name of Object.keys(value)) {
        const why = refusal(name);
        if (why !== undefined) issues.push({ code: 'custom', input: value, message: `"${name}" ${why}` });
      }
    }),
);
