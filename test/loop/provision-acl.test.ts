import { beforeEach, describe, expect, it } from 'vitest';
import { type HostBuilder, RolledBackError } from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { describedDirectory } from './described.ts';
import { sh } from './sequence.ts';

const { apply, at, disk, root, undoOnly } = describedDirectory();

const details = (changes: Awaited<ReturnType<typeof apply>>): readonly string[] =>
  changes.map(({ action, kind, details: all }) => [action, kind, ...all].join(' | '));
const acl = (path: string): string =>
  sh('getfacl', '--absolute-names', '--omit-header', '--numeric', '--no-effective', '--', path)
    .trim()
    .replaceAll('\n', ' ');
/** Owner, mode, both ACLs and content of everything. */
const tree = (): string =>
  sh('find', root(), '-printf', '%P %y %U:%G %m %s %l\n') +
  sh('getfacl', '--recursive', '--physical', '--numeric', '--absolute-names', '--', root());

interface Row {
  /** Shell commands in the root. */
  readonly given?: string;
  readonly describe: (h: HostBuilder) => void;
  readonly changes: string;
  readonly path: string;
  readonly then: string;
}

const content = 'same\n';
const file = 'printf "same\\n" >f; chmod 640 f; ';
const odd = '-odd\n\u{fc}';

const rows: Readonly<Record<string, Row>> = {
  'a new file': {
    describe: (h) => h.file(at('f'), { content, mode: 0o4740, acl: ['u:12345:rw', 'group:50:r-x'] }),
    changes: 'create | file | mode 04740 | acl user:12345:rw- | acl group:50:r-x',
    path: 'f',
    then: 'user::rwx user:12345:rw- group::r-- group:50:r-x mask::rwx other::---',
  },
  'a new file in a directory with a default ACL': {
    given: 'setfacl --default --modify user:7:rwx .',
    describe: (h) => h.file(at('f'), { content, mode: 0o640, acl: [] }),
    changes: 'create | file | mode 0640',
    path: 'f',
    then: 'user::rw- group::r-- other::---',
  },
  'a new directory': {
    describe: (h) =>
      h.directory(at('d'), {
        ...{ owner: 12345, mode: 0o2750, acl: ['user:7:rwx'] },
        defaultAcl: ['user:8:r-x', 'other::r--'],
      }),
    changes:
      'create | directory | owner 12345 | mode 02750 | acl user:7:rwx | default acl user:8:r-x | default acl other::r--',
    path: 'd',
    then: [
      'user::rwx user:7:rwx group::r-x mask::rwx other::---',
      'default:user::rwx default:user:8:r-x default:group::r-x default:mask::r-x default:other::r--',
    ].join(' '),
  },
  'a file without an ACL': {
    given: file,
    describe: (h) => h.file(at('f'), { content, acl: ['user:12345:rw'] }),
    changes: 'change | file | adds acl user:12345:rw- | adds acl mask::rw-',
    path: 'f',
    then: 'user::rw- user:12345:rw- group::r-- mask::rw- other::---',
  },
  'a file that must have none': {
    given: `${file} setfacl --modify user:7:rwx,group:8:r f`,
    describe: (h) => h.file(at('f'), { content, acl: [] }),
    changes: 'change | file | removes acl user:7:rwx | removes acl group:8:r-- | removes acl mask::rwx',
    path: 'f',
    then: 'user::rw- group::r-- other::---',
  },
  'a file with another content, owner, mode and ACL': {
    given: `${file} chown 7:8 f; setfacl --modify user:7:rwx,user:9:r f; chmod u+s f`,
    describe: (h) =>
      h.file(at('f'), { content: 'new\n', owner: 12345, mode: 0o2751, acl: ['user:9:rx', 'm::rx'] }),
    changes:
      'change | file | owner 7 → 12345 | mode 04640 → 02751 | removes acl user:7:rwx | acl user:9: r-- → r-x | acl mask:: rwx → r-x',
    path: 'f',
    then: 'user::rwx user:9:r-x group::r-x mask::r-x other::--x',
  },
  'a file with the same content and another ACL and special bits': {
    given: `${file} setfacl --modify user:7:rwx f; chmod u+s f`,
    describe: (h) => h.file(at('f'), { content, mode: 0o2651, acl: ['user:7:x'] }),
    changes: 'change | file | mode 04640 → 02651 | acl user:7: rwx → --x | acl mask:: rwx → r-x',
    path: 'f',
    then: 'user::rw- user:7:--x group::r-x mask::r-x other::--x',
  },
  'a directory with other ACLs': {
    given: 'mkdir d; setfacl --modify user:7:rx,mask::r,default:user:8:rwx d; chmod g+s,+t d; touch d/in',
    describe: (h) =>
      h.directory(at('d'), { group: 54321, mode: 0o750, acl: ['user:7:rwx'], defaultAcl: ['group:8:r'] }),
    changes: [
      'change | directory | group 0 → 54321 | mode 03755 → 0750 | acl user:7: r-x → rwx | acl mask:: r-- → rwx',
      'removes default acl user:8:rwx | default acl mask:: rwx → r-x | default acl other:: r-x → ---',
      'adds default acl group:8:r--',
    ].join(' | '),
    path: 'd',
    then: [
      'user::rwx user:7:rwx group::r-x mask::rwx other::---',
      'default:user::rwx default:group::r-x default:group:8:r-- default:mask::r-x default:other::---',
    ].join(' '),
  },
  'a directory that must have no default ACL': {
    given: 'mkdir d; setfacl --modify user:7:rx,default:user:8:rwx d',
    describe: (h) => h.directory(at('d'), { defaultAcl: [] }),
    changes: [
      'change | directory | removes default acl user::rwx | removes default acl user:8:rwx',
      'removes default acl group::r-x | removes default acl mask::rwx | removes default acl other::r-x',
    ].join(' | '),
    path: 'd',
    then: 'user::rwx user:7:r-x group::r-x mask::r-x other::r-x',
  },
  'a file with an odd name': {
    given: `printf 'same\\n' > '${odd}'`,
    describe: (h) => h.file(at(odd), { content, mode: 0o600, acl: ['user:7:r'] }),
    changes: 'change | file | mode 0644 → 0600 | adds acl user:7:r-- | adds acl mask::r--',
    path: odd,
    then: 'user::rw- user:7:r-- group::--- mask::r-- other::---',
  },
};

describe.skipIf(process.getuid?.() !== 0)('the ACL of a description', () => {
  beforeEach(() => {
    sh('mount', disk().ext4('image').device, root());
  });

  it.each(Object.entries(rows))('of %s is set, and undone exactly', async (_, row) => {
    sh('sh', '-ec', `cd "$1"; umask 022; ${row.given ?? 'true'}`, 'sh', root());
    const before = tree();
    const failing = (h: HostBuilder): void => {
      row.describe(h);
      h.file(at('none/x'), { content: '' });
    };
    expect(await rejectionOf(apply(failing))).toBeInstanceOf(RolledBackError);
    expect(tree()).toBe(before);
    sh('rm', '--recursive', disk().path('state'));

    expect(details(await apply(row.describe))).toEqual([row.changes]);
    expect(acl(at(row.path))).toBe(row.then);
    const after = tree();
    expect(await apply(row.describe)).toEqual([]);
    expect(tree()).toBe(after);

    const undone = await undoOnly();
    expect(undone).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(tree()).toBe(before);
  });

  it('of a removed file and directory comes back by bofh undo', async () => {
    sh(
      'sh',
      '-ec',
      `cd "$1"; ${file} mkdir d; setfacl -m user:7:rwx f; setfacl -m u:7:x,d:u:8:r d`,
      'sh',
      root(),
    );
    const before = tree();
    await apply((h) => [h.absent(at('f')), h.absent(at('d'))]);
    await undoOnly();
    expect(tree()).toBe(before);
  });

  it('that others changed since stays, and bofh undo refuses it', async () => {
    sh('sh', '-ec', `cd "$1"; ${file}`, 'sh', root());
    await apply((h) => h.file(at('f'), { content, acl: ['user:7:r'] }));
    sh('setfacl', '--modify', 'user:8:r', at('f'));
    expect(String(await rejectionOf(undoOnly()))).toContain('user:8:r--');
    expect(acl(at('f'))).toContain('user:8:r--');
  });
});

describe.skipIf(process.getuid?.() !== 0)('a filesystem without ACLs', () => {
  it('makes the step fail, with the reason, and everything is undone', async () => {
    sh('mount', '--types', 'ramfs', 'none', root());
    const before = tree();
    const error = await rejectionOf(
      apply((h) => {
        h.file(at('first'), { content: '' });
        h.directory(at('d'), { acl: ['user:7:r'] });
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(/the filesystem of .* has no POSIX ACLs, or is mounted without them/);
    expect(error).toMatchObject({ remedy: `see its type and options: findmnt --target ${root()}` });
    expect(tree()).toBe(before);
  });
});
