import * as z from 'zod/mini';
import { accountName, field } from '../account/database.ts';
import { passwordHash } from '../account/set-password.ts';
import { absolutePath } from '../blockdevice/path.ts';
import { Secret } from '../command/index.ts';
import { text } from '../core/request.ts';
import { askedMode, ownerNumber } from '../file/path.ts';
import { packageVersion } from '../packages/index.ts';
import { script } from '../shell/commands.ts';
import { acl, defaultAcl } from './acl.ts';
import { sysctlFile } from './sysctl.ts';
import { xattrs } from './xattr.ts';

const id = z.union([z.string().check(z.regex(/^[^:\s]+$/)), z.int().check(z.minimum(0))]);
const owned = {
  owner: z.exactOptional(id),
  group: z.exactOptional(id),
  mode: z.exactOptional(askedMode),
  acl: z.exactOptional(acl),
  xattrs: z.exactOptional(xattrs),
};
const line = z.string().check(z.minLength(1), z.regex(/^[^\n\r\0]*$/, 'must be one line'));
const places = z.array(z.union([absolutePath, z.looseObject({ path: absolutePath })]));
const nothingElse = z.refine(
  (of: unknown) => typeof of !== 'object' || of === null || !('absent' in of) || Object.keys(of).length === 1,
  'what is absent has nothing else',
);
const words = (pattern: RegExp, what: string) => {
  const word = z.string().check(z.regex(pattern, `must be ${what}`));
  return z.pipe(
    z.union([word, z.readonly(z.array(word).check(z.minLength(1)))], `must be ${what}, or several`),
    z.transform((given) => (typeof given === 'string' ? [given] : given)),
  );
};
const password = z.custom<Secret | 'locked'>(
  (value) =>
    value === 'locked' || (value instanceof Secret && passwordHash.safeParse(secretText(value)).success),
  'must be a Secret with a hash of crypt(3), which mkpasswd creates, or "locked"',
);
/** Arguments of the methods of a description. */
export const schemas = {
  file: z.strictObject({ content: z.unknown(), ...owned }),
  template: z.strictObject({ file: text, data: z.exactOptional(z.unknown()), ...owned }),
  directory: z.strictObject({ ...owned, defaultAcl: z.exactOptional(defaultAcl) }),
  'apt-source': z
    .strictObject({
      uris: words(
        /^(?:https?:\/\/[^\s@/]+\/?|file:\/)[^\s@]*$/,
        'https://…, http://… or file:/…, without a password',
      ),
      suites: words(/^[\w.+~/-]+$/, 'a suite'),
      components: z.exactOptional(words(/^[\w.+~/-]+$/, 'a component')),
      architectures: z.exactOptional(words(/^[a-z][a-z0-9-]*$/, 'an architecture')),
      key: z.exactOptional(z.unknown()),
      signedBy: z.exactOptional(absolutePath),
    })
    .check(
      z.refine(
        ({ key, signedBy }) => (key === undefined) !== (signedBy === undefined),
        'needs either key or signedBy',
      ),
      z.refine(
        ({ suites, components }) =>
          suites.every((suite) => suite.endsWith('/') === (components === undefined)),
        'needs components, unless its suites end in /',
      ),
    ),
  package: z
    .strictObject({
      version: z.exactOptional(packageVersion),
      hold: z.exactOptional(z.boolean()),
      absent: z.exactOptional(z.union([z.literal(true), z.literal('purged')])),
    })
    .check(
      z.refine(
        ({ version, hold, absent }) => absent === undefined || (version === undefined && hold === undefined),
        'an absent package has no version and is not held',
      ),
    ),
  group: z
    .strictObject({
      gid: z.exactOptional(ownerNumber),
      system: z.exactOptional(z.boolean()),
      absent: z.exactOptional(z.literal(true)),
    })
    .check(nothingElse),
  user: z
    .strictObject({
      uid: z.exactOptional(ownerNumber),
      group: z.exactOptional(z.union([accountName, ownerNumber])),
      groups: z.exactOptional(z.array(accountName)),
      shell: z.exactOptional(absolutePath),
      home: z.exactOptional(absolutePath),
      comment: z.exactOptional(field),
      authorizedKeys: z.exactOptional(z.array(z.string())),
      password: z.exactOptional(password),
      system: z.exactOptional(z.boolean()),
      absent: z.exactOptional(z.literal(true)),
    })
    .check(nothingElse),
  sysctl: z.strictObject({ file: z.exactOptional(sysctlFile) }),
  service: z.strictObject({
    enabled: z.exactOptional(z.boolean()),
    running: z.exactOptional(z.boolean()),
    seconds: z.exactOptional(z.int().check(z.minimum(0), z.maximum(600))),
    restartOn: z.exactOptional(places),
    reloadOn: z.exactOptional(places),
  }),
  link: z.strictObject({ to: z.string().check(z.minLength(1)) }),
  lines: z.strictObject({
    present: z.exactOptional(z.array(line)),
    absent: z.exactOptional(z.array(line)),
    replace: z.exactOptional(z.record(z.string().check(z.minLength(1)), line)),
  }),
  script: z.strictObject({
    isDone: script,
    run: script,
    undo: z.union(
      [z.literal('none'), script],
      'must be a script that takes it back, or "none" if it cannot be undone',
    ),
    seconds: z.exactOptional(z.int().check(z.minimum(1), z.maximum(86_400))),
  }),
  edit: z.strictObject({
    yaml: z.exactOptional(z.unknown()),
    json: z.exactOptional(z.unknown()),
    toml: z.exactOptional(z.unknown()),
    ini: z.exactOptional(z.unknown()),
    absent: z.exactOptional(z.array(z.array(text).check(z.minLength(1)))),
  }),
};

/** Returns the text of a secret, without the newline at its end. */
export function secretText(secret: Secret): string {
  return Buffer.from(secret.reveal()).toString('utf8').replace(/\n$/, '');
}
