import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { getfattr, setfattr, xattrsOf } from '../../../src/file/xattr.ts';
import { atomic, defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const template = join(import.meta.dirname, '../../../LICENSE');
const noAnswer = { exitCode: 0, stdout: '', stderr: '' };

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
const valueOf = async (path: string, name: string): Promise<string | null> => {
  const found = (await xattrsOf(host, path, [name]))[name] ?? null;
  return found === null ? null : Buffer.from(found, 'base64').toString('latin1');
};

describe('getfattr', () => {
  const value = getfattr('/srv/x/c', 'user.note');
  it.each(versionsOf('getfattr/value'))('of attr %s is read whole, or is an error', (version) => {
    const answer = recorded(`getfattr/value@${version}`);
    expect(value.parse(answer)).toBe('AAo9/w==');
    for (const stdout of [
      '',
      answer.stdout.slice(1),
      answer.stdout.slice(0, -1),
      answer.stdout.replace('user.note=', 'user.other='),
      answer.stdout.replace('=0s', '='),
      answer.stdout.replace('=0sAAo9/w==', '=0sAAo9/w'),
      answer.stdout.replace('=0s', '=0x'),
      answer.stdout.replace(/\n$/, 'user.other=0s\n\n'),
      `${answer.stdout}${answer.stdout}`,
    ])
      expect(() => value.parse({ ...answer, stdout })).toThrow('could not be parsed');
    for (const stderr of [
      '',
      'getfattr: x: Input/output error\n',
      '/srv/x/c: user.other: No such attribute\n',
    ])
      expect(() => value.parse({ exitCode: 1, stdout: '', stderr })).toThrow('could not be parsed');
  });

  it('passes an empty value without base64, which setfattr would ignore', () => {
    expect(setfattr('/f', 'user.a', '').argv).toEqual([
      ...['--no-dereference', '--name=user.a', '--value=', '--', '/f'],
    ]);
    expect(setfattr('/f', 'user.a', 'AA==').argv[2]).toBe('--value=0sAA==');
    expect(setfattr('/f', 'user.a', null).argv).toEqual(['--no-dereference', '--remove=user.a', '--', '/f']);
  });

  it('is asked again: the exit code of setfattr proves nothing', async () => {
    const during = host.during.bind(host);
    host.during = (step) => {
      const real = during(step);
      const run: typeof real.run = async (command) =>
        command.tool === 'setfattr' ? command.parse(noAnswer) : real.run(command);
      return { ...real, run };
    };
    const set = { path: '/srv/f', xattrs: { 'user.note': 'AA==' } };
    const failed = withBofh(simulatedBofh({ host }), () => atomic('x', (tx) => tx.file.setAttributes(set)));
    await expect(failed).rejects.toThrow('user.note is not as it was asked for');
  });
});

describe('the extended attributes of a description', () => {
  it('are set, replaced and removed, and all others stay', async () => {
    host.admin.setXattr('/srv/d', 'user.old', 'old');
    host.admin.setXattr('/srv/d', 'user.note', 'old');
    host.admin.setXattr('/srv/d', 'user.other', 'theirs');
    const describeAll = (h: HostBuilder): void => {
      const bytes = new Uint8Array([0, 255]);
      h.directory('/srv/d', { xattrs: { 'user.note': 'new', 'user.old': null, 'trusted.id': bytes } });
      h.file('/srv/f', { content: 'x', xattrs: { 'user.empty': '', 'user.none': null } });
      h.template('/srv/t', { file: template, xattrs: { 'user.note': 'ä' } });
      h.directory('/srv/e', { xattrs: { 'user.long': 'x'.repeat(100) } });
    };
    expect(inWords(await apply(describeAll))).toEqual([
      'change directory /srv/d: xattr user.note "old" → "new", removes xattr user.old "old", adds xattr trusted.id 0x00ff',
      'change file /srv/f: adds xattr user.empty ""',
      'create file /srv/t: xattr user.note 0xc3a4',
      `create directory /srv/e: xattr user.long "${'x'.repeat(59)}… (100 bytes)`,
    ]);
    expect(await valueOf('/srv/d', 'user.old')).toBe(null);
    expect(await valueOf('/srv/d', 'user.other')).toBe('theirs');
    expect(await valueOf('/srv/d', 'trusted.id')).toBe('\0\u{ff}');
    expect(await valueOf('/srv/f', 'user.empty')).toBe('');
    expect(await apply(describeAll)).toEqual([]);
  });

  it('stay when the content changes, and count once if they are described twice, as text and as bytes', async () => {
    host.admin.setXattr('/srv/f', 'user.other', 'theirs');
    const both = (h: HostBuilder): void => {
      h.file('/srv/f', { content: 'y', xattrs: { 'user.note': 'a' } });
      h.file('/srv/f', { content: 'y', xattrs: { 'user.note': Buffer.from('a') } });
    };
    expect(await apply(both)).toHaveLength(1);
    expect(await valueOf('/srv/f', 'user.other')).toBe('theirs');
    expect(await valueOf('/srv/f', 'user.note')).toBe('a');
  });

  const wrong: readonly (readonly [string, unknown, string])[] = [
    ['an ACL', { 'system.posix_acl_access': 'x' }, 'use acl, or defaultAcl of h.directory'],
    ['capabilities', { 'security.capability': 'x' }, 'use h.script with setcap(8)'],
    ['a label', { 'security.selinux': 'x' }, 'belongs to a security module of the kernel'],
    ['another of system', { 'system.nfs4_acl': 'x' }, 'belongs to the filesystem'],
    ['no namespace', { note: 'x' }, '"note" must begin with user. or trusted.'],
    ['only a namespace', { 'user.': 'x' }, '"user." must begin with user. or trusted.'],
    ['an equals sign', { 'user.a=b': 'x' }, '"user.a=b" must begin'],
    ['a newline', { 'user.a\nb': 'x' }, 'must begin'],
    ['a long name', { [`user.${'x'.repeat(251)}`]: 'x' }, 'at most 255'],
    ['a long value', { 'user.a': 'x'.repeat(65_537) }, 'is longer than 64 KiB'],
    ['a number', { 'user.a': 7 }, 'must be a text, bytes, or null to remove it'],
    ['a list', ['user.a'], 'xattrs'],
  ];

  it.each(wrong)('with %s are a usage error that names the line', async (_, xattrs, message) => {
    const before = host.snapshot();
    const error = await rejectionOf(apply((h) => h.directory('/srv/d', { xattrs: xattrs as never })));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(/xattr\.test\.ts:\d+: h\.directory \/srv\/d/);
    expect(String(error)).toContain(message);
    expect(host.snapshot()).toBe(before);
  });

  const bodies: readonly (readonly [string, (h: HostBuilder) => unknown])[] = [
    ['a directory', (h) => h.directory('/srv/d', { xattrs: { 'user.a': 'x' } })],
    ['a new directory', (h) => h.directory('/srv/none', { xattrs: { 'user.a': 'x' } })],
    ['a new file', (h) => h.file('/srv/new', { content: '', xattrs: { 'user.a': 'x' } })],
    ['a changed file', (h) => h.file('/srv/f', { content: 'y', xattrs: { 'user.a': 'x' } })],
  ];

  it.each(bodies)(
    'of %s are refused on a filesystem that has none, before the first step',
    async (_, body) => {
      const run = host.run.bind(host);
      host.run = async (command) => {
        const stderr = '/srv: user.a: Operation not supported\n';
        return command.tool === 'getfattr'
          ? command.parse({ exitCode: 1, stdout: '', stderr })
          : run(command);
      };
      const before = host.snapshot();
      const error = await rejectionOf(apply((h) => [h.file('/srv/first', { content: '' }), body(h)]));
      expect(error).toBeInstanceOf(RefusedError);
      expect(String(error)).toContain('does not support extended attributes user.*');
      expect(host.snapshot()).toBe(before);
    },
  );

  it.each(bodies)('of %s need the package attr before the first step', async (_, body) => {
    const run = host.run.bind(host);
    host.run = async (command) => {
      if (command.tool === 'getfattr') throw new ToolError('getfattr is not installed');
      return run(command);
    };
    const before = host.snapshot();
    const error = await rejectionOf(apply((h) => [h.file('/srv/first', { content: '' }), body(h)]));
    expect(error).toBeInstanceOf(ToolError);
    expect(host.snapshot()).toBe(before);
  });
});

it('ensure compares the attributes that are asked for', async () => {
  const asked = { path: '/srv/e', content: 'x', xattrs: { 'user.note': 'AA==', 'user.none': null } };
  const ensured = (args: typeof asked) =>
    withBofh(simulatedBofh({ host }), () => atomic('x', (tx) => tx.ensure.file.create(args)));
  expect(await ensured(asked)).toMatchObject({ changed: true });
  expect(await ensured(asked)).toMatchObject({ changed: false });
  const other = { ...asked, xattrs: { ...asked.xattrs, 'user.note': 'AQ==' } };
  await expect(ensured(other)).rejects.toThrow('xattr user.note');
});
