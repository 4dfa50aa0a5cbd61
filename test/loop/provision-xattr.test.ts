import { existsSync, readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { type HostBuilder, RefusedError, RolledBackError } from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { describedDirectory } from './described.ts';
import { sh } from './sequence.ts';

const { apply, at, disk, root, undoOnly } = describedDirectory();

/** Owner, mode and content of everything, and every attribute, so also ACL and capabilities. */
const tree = (): string =>
  sh('find', root(), '-printf', '%P %y %U:%G %m %s %l\n') +
  sh('getfattr', '-RPhd', '-m-', '-e', 'hex', '--absolute-names', root());

const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const hex = Buffer.from(bytes).toString('hex');
const content = 'same\n';
const xattrs = { 'user.bytes': bytes, 'user.empty': '', 'trusted.note': 'new', 'user.old': null };
const file =
  'printf "same\\n" >f; chmod 640 f; for n in user.old trusted.note user.other; do setfattr -n $n -v 0sAP8= f; done; ';
const listed = `setfacl -m user:7:rwx f; setcap cap_net_raw=ep f`;

const rows: Readonly<Record<string, readonly [string, (h: HostBuilder) => void, string]>> = {
  'a new file': ['true', (h) => h.file(at('f'), { content, owner: 12345, mode: 0o4740, xattrs }), 'f'],
  'a new directory': ['true', (h) => h.directory(at('f'), { mode: 0o2750, acl: ['u:7:r'], xattrs }), 'f'],
  'a file': [file, (h) => h.file(at('f'), { content, xattrs }), 'f'],
  'a file with another mode': [file, (h) => h.file(at('f'), { content, mode: 0o600, xattrs }), 'f'],
  'a file with another content': [file, (h) => h.file(at('f'), { content: 'new\n', xattrs }), 'f'],
  'a file with another owner, an ACL and a capability': [
    file + listed,
    (h) => h.file(at('f'), { content, owner: 12345, xattrs }),
    'f',
  ],
  'a directory': [
    'mkdir f; setfattr -n user.old -v x f; touch f/in',
    (h) => h.directory(at('f'), { group: 54321, xattrs }),
    'f',
  ],
  'a file with an odd name': [
    `printf x > '-odd\n\u{fc}'`,
    (h) => h.file(at('-odd\n\u{fc}'), { content: 'x', xattrs }),
    '-odd\n\u{fc}',
  ],
};

describe.skipIf(process.getuid?.() !== 0)('the extended attributes of a description', () => {
  beforeEach(() => {
    sh('mount', disk().ext4('image').device, root());
  });

  it.each(Object.entries(rows))('of %s are set, and undone exactly', async (_, [given, body, path]) => {
    sh('sh', '-ec', `cd "$1"; umask 022; ${given}`, 'sh', root());
    const before = tree();
    const failing = (h: HostBuilder): void => {
      body(h);
      h.file(at('none/x'), { content: '' });
    };
    expect(await rejectionOf(apply(failing))).toBeInstanceOf(RolledBackError);
    expect(tree()).toBe(before);
    sh('rm', '--recursive', disk().path('state'));

    expect(await apply(body)).toHaveLength(1);
    const dump = ['--absolute-names', '--dump', '--encoding=hex', '--match=^(user|trusted)'];
    const now = sh('getfattr', ...dump, '--', at(path))
      .trim()
      .split('\n')
      .slice(1)
      .toSorted();
    const others = before.includes('user.other') ? ['user.other=0x00ff'] : [];
    expect(now).toEqual(
      ['trusted.note=0x6e6577', `user.bytes=0x${hex}`, 'user.empty=0x', ...others].toSorted(),
    );
    if (given.includes('setcap')) expect(tree()).toContain('security.capability');
    const after = tree();
    expect(await apply(body)).toEqual([]);
    expect(tree()).toBe(after);

    expect(await undoOnly()).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(tree()).toBe(before);
  });

  it('that others changed since stay, and bofh undo refuses them', async () => {
    sh('sh', '-ec', `cd "$1"; ${file}`, 'sh', root());
    await apply((h) => h.file(at('f'), { content, xattrs }));
    sh('setfattr', '-n', 'trusted.note', '-v', 'theirs', at('f'));
    const theirs = tree();
    expect(String(await rejectionOf(undoOnly()))).toContain('trusted.note "theirs"');
    expect(tree()).toBe(theirs);
  });

  it('that the filesystem has no room for make the step fail, and everything is undone', async () => {
    sh('sh', '-ec', `cd "$1"; ${file}`, 'sh', root());
    const before = tree();
    const large = { content: 'new\n', xattrs: { 'user.old': null, 'user.large': 'x'.repeat(60_000) } };
    const error = await rejectionOf(apply((h) => h.file(at('f'), large)));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain('setfattr');
    expect(tree()).toBe(before);
  });
});

describe.skipIf(process.getuid?.() !== 0)('a filesystem without extended attributes', () => {
  it('is refused before the first step', async () => {
    sh('mount', '--types', 'ramfs', 'none', root());
    const error = await rejectionOf(
      apply((h) => {
        h.file(at('first'), { content: '' });
        h.directory(at('d'), { xattrs: { 'user.a': 'x' } });
      }),
    );
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/the filesystem of .* does not support extended attributes user\.\*/);
    expect(error).toMatchObject({ remedy: `see its type and options: findmnt --target ${root()}` });
    expect([readdirSync(root()), existsSync(disk().path('state/journal'))]).toEqual([[], false]);
  });
});
