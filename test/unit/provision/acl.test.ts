import { beforeEach, describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { getfacl, setfacl } from '../../../src/file/acl.ts';
import { defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { recorded } from '../blockdevice/fixtures.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/srv/d');
  host.admin.writeFile('/srv/f', 'x', 0o640);
});

const apply = (body: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(body)));
const inWords = (changes: Awaited<ReturnType<typeof apply>>): readonly string[] =>
  changes.map(({ action, kind, name, details }) => `${action} ${kind} ${name}: ${details.join(', ')}`);
const aclOf = async (path: string): Promise<readonly string[]> => {
  const { access, default: inherited } = await host.run(getfacl(path));
  return [access, inherited].map((all) => [...all].map((entry) => entry.join(':')).join(' '));
};

describe('getfacl and setfacl', () => {
  const lines = versionsOf('getfacl/lists').flatMap((version) => {
    const at = `getfacl/lists@${version}`;
    const { stdout } = recorded(at);
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [[line, at] as const]));
  });

  it.each(lines.filter(([line]) => !/:\d+:/.test(line)))('an answer without %s is an error', (line, at) => {
    const answer = recorded(at);
    const { parse } = getfacl('/srv/x/d');
    expect(() => parse(answer)).not.toThrow();
    expect(() => parse({ ...answer, stdout: answer.stdout.replace(`${line}\n`, '') })).toThrow('all entries');
    expect(() => parse({ ...answer, stdout: `${answer.stdout}${line}\n` })).toThrow('could not be parsed');
  });

  it.each(['', '# file: x\n', 'user::rwx #effective:r--\n', 'user:web:rwx\n'])(
    'the line %j is not known',
    (line) => {
      const stdout = `${line}user::rw-\ngroup::r--\nother::r--\n`;
      const read = () => getfacl('/x').parse({ exitCode: 0, stdout, stderr: '' });
      if (line === '') expect(read).not.toThrow();
      else expect(read).toThrow('could not be parsed');
    },
  );

  it('removes a default ACL, and leaves that of a file out', () => {
    const acl = 'user::rwx,group::r-x,other::---';
    const argvOf = (defaultAcl?: string) =>
      setfacl('/d', { acl, ...(defaultAcl === undefined ? {} : { defaultAcl }) }).argv.join(' ');
    expect(argvOf()).toBe(`--physical --no-mask --set ${acl} -- /d`);
    expect(argvOf('')).toBe(`--physical --no-mask --remove-default --set ${acl} -- /d`);
    expect(argvOf('user::r--,group::---,other::---')).toBe(
      `--physical --no-mask --set ${acl},default:user::r--,default:group::---,default:other::--- -- /d`,
    );
  });
});

describe('the ACLs of a description', () => {
  it('name users and groups that the same description creates', async () => {
    const describeAll = (h: HostBuilder): void => {
      h.directory('/srv/d', { mode: 0o750, acl: ['u:web:rx'], defaultAcl: ['g:photos:rwx', 'o::0'] });
      h.file('/srv/f', { content: 'x', acl: ['user:web:rw', 'group:33:4'] });
      h.user('web', { uid: 4711 });
      h.group('photos', { gid: 4712 });
    };
    expect(inWords(await apply(describeAll))).toEqual([
      'create user web: with a group of that name, uid 4711',
      'create group photos: gid 4712',
      'change directory /srv/d: mode 0755 → 0750, adds acl user:4711:r-x, adds acl mask::r-x, adds default acl user::rwx, adds default acl group::r-x, adds default acl group:4712:rwx, adds default acl mask::rwx, adds default acl other::---',
      'change file /srv/f: adds acl user:4711:rw-, adds acl group:33:r--, adds acl mask::rw-',
    ]);
    expect(await aclOf('/srv/f')).toEqual([
      'user::rw- user:4711:rw- group::r-- group:33:r-- mask::rw- other::---',
      '',
    ]);
    expect(await apply(describeAll)).toEqual([]);
    expect(
      await apply((h) => h.file('/srv/f', { content: 'x', mode: 0o640, acl: ['u:4711:6', 'g:33:r'] })),
    ).toEqual([]);
  });

  it('count once if they are described twice, in a short and a long form', async () => {
    const both = (h: HostBuilder): void => {
      h.file('/srv/f', { content: 'x', acl: ['u:33:rx'] });
      h.file('/srv/f', { content: 'x', acl: ['user:33:r-x'] });
    };
    expect(await apply(both)).toHaveLength(1);
  });

  it('of a template and a directory: with an ACL the mode has the owning group, without it the mask', async () => {
    host.admin.setAcl('/srv/d', 'user::rwx,user:7:rwx,group::r-x,mask::rwx,other::---');
    const words = async (body: (h: HostBuilder) => unknown) => inWords(await apply(body));
    expect(await words((h) => h.directory('/srv/d', { mode: 0o750, acl: ['u:7:rwx'] }))).toEqual([]);
    expect(await words((h) => h.directory('/srv/d', { mode: 0o750 }))).toEqual([
      'change directory /srv/d: mode 0770 → 0750',
    ]);
    expect(await aclOf('/srv/d')).toEqual(['user::rwx user:7:rwx group::r-x mask::r-x other::---', '']);
  });

  const wrong: readonly (readonly [string, (h: HostBuilder) => unknown, string])[] = [
    ['no permissions', (h) => h.directory('/srv/d', { acl: ['user:web'] }), '"user:web" must be an entry'],
    ['X', (h) => h.directory('/srv/d', { acl: ['user:7:rX'] }), '"user:7:rX" must be an entry'],
    [
      'a permission twice',
      (h) => h.directory('/srv/d', { acl: ['u:7:rr'] }),
      '"u:7:rr" names a permission twice',
    ],
    ['a newline', (h) => h.directory('/srv/d', { acl: ['user:a\nb:r'] }), 'must be an entry'],
    ['another kind', (h) => h.directory('/srv/d', { acl: ['users:7:r'] }), '"users:7:r" must be an entry'],
    ['no text', (h) => h.directory('/srv/d', { acl: [7 as unknown as string] }), 'acl'],
    ['default:', (h) => h.directory('/srv/d', { acl: ['d:u:7:r'] }), 'belongs in defaultAcl'],
    [
      'the owner',
      (h) => h.file('/srv/f', { content: 'x', acl: ['user::rwx'] }),
      'is not for acl: the mode has',
    ],
    ['others', (h) => h.file('/srv/f', { content: 'x', acl: ['other::r'] }), 'is not for acl: the mode has'],
    ['a mask with a name', (h) => h.directory('/srv/d', { acl: ['mask:7:r'] }), 'must be mask::rwx'],
    ['one entry twice', (h) => h.directory('/srv/d', { acl: ['u:7:r', 'user:7:x'] }), 'names an entry twice'],
    [
      'a narrower mask than the mode',
      (h) => h.file('/srv/f', { content: 'x', mode: 0o670, acl: ['u:7:r', 'mask::r'] }),
      'mode 0670 gives the group rwx, but mask::r-- does not allow that',
    ],
    [
      'a default ACL of a file',
      (h) => h.file('/srv/f', { content: 'x', ...{ defaultAcl: [] } }),
      'defaultAcl',
    ],
  ];

  it.each(wrong)('with %s are a usage error that names the line', async (_, body, message) => {
    const before = host.snapshot();
    const error = await rejectionOf(apply(body));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(/acl\.test\.ts:\d+: h\.(?:file|directory) \/srv/);
    expect(String(error)).toContain(message);
    expect(host.snapshot()).toBe(before);
  });

  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ['an unknown user', ['user:nobody-here:r'], 'there is no user nobody-here in /etc/passwd'],
    ['an unknown group', ['group:nobody-here:r'], 'there is no group nobody-here in /etc/group'],
    [
      'a name of digits',
      ['user:1234:r'],
      'ambiguous: there is a user with the name 1234, whose number is 77',
    ],
    ['one user twice', ['user:odd:r', 'user:78:x'], 'two entries of one ACL are for user:78'],
  ];

  it.each(refused)('with %s are refused before the first step', async (_, acl, message) => {
    const passwd = host.admin.readFile('/etc/passwd');
    host.admin.writeFile('/etc/passwd', `${passwd}1234:x:77:0::/:/bin/sh\nodd:x:78:0::/:/bin/sh\n`);
    const before = host.snapshot();
    const error = await rejectionOf(
      apply((h) => {
        h.file('/srv/first', { content: '' });
        h.directory('/srv/d', { acl });
      }),
    );
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(message);
    expect(host.snapshot()).toBe(before);
    // By its number it works.
    await apply((h) => h.directory('/srv/d', { acl: ['user:77:r'] }));
    expect((await aclOf('/srv/d'))[0]).toContain('user:77:r--');
  });

  it('are refused on a filesystem that has none, before the first step', async () => {
    const real = host.readFile.bind(host);
    const table = new TextDecoder().decode(await real('/proc/self/mountinfo'));
    host.readFile = async (path) =>
      path === '/proc/self/mountinfo' ? Buffer.from(table.replaceAll(' - ext4 ', ' - vfat ')) : real(path);
    const before = host.snapshot();
    for (const body of [
      (h: HostBuilder) => h.directory('/srv/d', { defaultAcl: ['u:7:r'] }),
      (h: HostBuilder) => h.directory('/srv/none', { acl: ['u:7:r'] }),
      (h: HostBuilder) => h.file('/srv/new', { content: '', acl: ['u:7:r'] }),
      (h: HostBuilder) => h.file('/srv/f', { content: 'x', acl: ['u:7:r'] }),
    ]) {
      const error = await rejectionOf(
        apply((h) => {
          h.file('/srv/first', { content: '' });
          body(h);
        }),
      );
      expect(error).toBeInstanceOf(RefusedError);
      expect(String(error)).toContain('has no POSIX ACLs, or is mounted without them');
    }
    expect(host.snapshot()).toBe(before);
  });

  /** getfacl and setfacl are missing until a change by this program. */
  const missingUntil = (installer?: string): void => {
    let isInstalled = false;
    host.faults.watch(({ tool, access }) => {
      isInstalled ||= tool === installer && access === 'change';
    });
    const run = host.run.bind(host);
    host.run = async (command) => {
      if (!isInstalled && /^[gs]etfacl$/.test(command.tool))
        throw new ToolError(`${command.tool} is not installed`);
      return run(command);
    };
  };

  it.each(['/srv/f', '/srv/new'])('need the package acl before the first step: %s', async (path) => {
    missingUntil();
    const before = host.snapshot();
    const error = await rejectionOf(
      apply((h) => {
        h.file('/srv/first', { content: '' });
        h.file(path, { content: 'x', acl: ['u:7:r'] });
      }),
    );
    expect(error).toBeInstanceOf(ToolError);
    expect(host.snapshot()).toBe(before);
  });

  it('may need the package acl only after a script has installed it', async () => {
    missingUntil('sh');
    const changes = await apply((h) => {
      h.script('acl', { isDone: 'test -e /usr/bin/setfacl', run: 'install', undo: 'remove' });
      h.file('/srv/f', { content: 'x', acl: ['u:7:r'] });
    });
    expect(inWords(changes).at(-1)).toBe('change file /srv/f: adds acl user:7:r--, adds acl mask::r--');
  });
});
