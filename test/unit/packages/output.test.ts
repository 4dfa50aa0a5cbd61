import { describe, expect, it } from 'vitest';
import type { ReadCommand, ReadHost } from '../../../src/command/index.ts';
import * as commands from '../../../src/packages/commands.ts';
import { actsIn, editedIn, filesIn, statesIn } from '../../../src/packages/output.ts';
import { knownPackages } from '../../../src/packages/state.ts';
import { updateSource } from '../../../src/packages/update.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';

describe('what dpkg and apt print', () => {
  it.each(everyVersion([['dpkg-query/marks'], ['dpkg-query/half']]))('%s: states and holds', (name) => {
    const states = statesIn(recorded(name).stdout).filter((each) => each.name !== 'dpkg');
    // The host's, also of packages for all architectures.
    const own = { architecture: 'amd64' };

    expect(states).toEqual(
      name.includes('marks')
        ? [
            { name: 'lamp', ...own, version: '1.0', hold: true, status: 'installed' },
            { name: 'lamp-lib', ...own, version: '1.0', hold: false, status: 'installed' },
          ]
        : [
            { name: 'broken', ...own, version: '1.0', hold: false, status: 'partly' },
            { name: 'lamp', ...own, version: '1.0', hold: false, status: 'config-files' },
          ],
    );
  });

  it('reads another architecture, and a package whose files are damaged', () => {
    const text =
      'dpkg\tamd64\t1.21.22\tinstall\tok\tinstalled\nlibc6\ti386\t2.36\tinstall\treinstreq\thalf-installed\n';

    expect(statesIn(text)[1]).toEqual({
      ...{ name: 'libc6:i386', architecture: 'i386', version: '2.36', hold: false, status: 'broken' },
    });
  });

  it.each(everyVersion([['apt-get/new'], ['apt-get/upgrade'], ['apt-get/removed']]))(
    '%s: what apt would do',
    (name) => {
      const acts = actsIn(recorded(name).stdout).map(({ act, name: each, version }) =>
        [act, each, version].filter(Boolean).join(' '),
      );

      expect(acts).toEqual(
        name.includes('new')
          ? ['install lamp-lib 1.0', 'install lamp 1.0']
          : name.includes('upgrade')
            ? ['install lamp-extra 1:1.0', 'install lamp 2.0']
            : ['remove lamp'],
      );
    },
  );

  it.each(
    everyVersion([
      ['dpkg-query/marks', statesIn],
      ['apt-get/upgrade', actsIn],
      ['dpkg-deb/contents', filesIn],
    ]),
  )('%s: a line without a part is an error, never a shorter list', (name, parse) => {
    const text = recorded(name).stdout;
    const last = text.trimEnd().split('\n').at(-1) ?? '';

    expect(() => parse(text.replace(last, last.slice(last.search(/\s/) + 1)))).toThrow();
  });

  it.each(
    everyVersion([['apt-cache/two'], ['apt-cache/installed'], ['apt-cache/none'], ['apt-cache/unknown']]),
  )('%s: only what an archive has', (name) => {
    const found = commands.archived([]).parse(recorded(name));

    expect(found).toEqual(
      name.includes('two')
        ? [
            { name: 'lamp', version: '1.0', size: 800 },
            { name: 'lamp-extra', version: '1:1.0', size: 804 },
          ]
        : [],
    );
  });

  it.each(everyVersion([['dpkg-deb/contents'], ['dpkg-deb/odd']]))('%s: the files of a package', (name) => {
    expect(filesIn(recorded(name).stdout)).toEqual(
      name.includes('odd')
        ? [String.raw`/usr/lib/a\\x2db`, '/usr/lib/hard', '/usr/lib/link']
        : ['/etc/lamp.conf', '/usr/share/lamp/version'],
    );
  });

  it('the names of files are in UTF-8, although tar escapes them in the C locale', () => {
    const line = (path: string): string => `-rw-r--r-- root/root         0 2026-11-30 02:12 .${path}\n`;
    const listed = line(String.raw`/usr/\303\244/F\305\221\ttan`) + line(String.raw`/a\\b\\303\\244`);
    expect(filesIn(listed)).toEqual(['/usr/ä/Fő\ttan', String.raw`/a\b\303\244`]);
  });

  it.each(everyVersion([['dpkg-query/search']]))('%s: owned files, and none without a package', (name) => {
    const command = commands.owned(['/usr/bin/perl', '/etc/nothing', '/usr/bin/[', '/bin/sh']);

    expect(recorded(name).argv).toEqual([command.tool, ...command.argv]);
    expect(command.parse(recorded(name)).slice(0, 2)).toEqual(['/usr/bin/perl', '/usr/bin/[']);
  });

  it.each(everyVersion([['dpkg/audit'], ['dpkg/audit-clean']]))('%s: complaints', (name) => {
    expect(commands.dpkgAudit().parse(recorded(name))).toEqual(
      name.includes('clean') ? '' : expect.stringContaining('only half configured'),
    );
  });

  it.each(everyVersion([['cat/auto']]))('%s: automatic packages', (name) => {
    const { parse } = commands.autoPackages();
    const file = recorded(name);
    const missing = 'cat: /var/lib/apt/extended_states: No such file or directory\n';

    expect(parse(file)).toContainEqual({ name: 'libwrap0', architecture: 'amd64' });
    expect(parse({ ...file, stdout: file.stdout.replace('Installed: 1', 'Installed: 0') })).toHaveLength(
      parse(file).length - 1,
    );
    expect(() => parse({ ...file, stdout: file.stdout.replace('Auto-Installed', 'Held') })).toThrow();
    expect(parse({ exitCode: 1, stdout: '', stderr: missing })).toEqual([]);
    expect(() => parse({ exitCode: 1, stdout: '', stderr: 'cat: x: Permission denied\n' })).toThrow();
  });

  it.each(
    everyVersion([
      ['apt-get/unknown', 'not-found'],
      ['apt-get/no-version', 'not-found'],
      ['apt-get/broken', 'unknown'],
    ]),
  )('%s is %s', (name, reason) => {
    expect(commands.simulated([], 'archives').classify?.(recorded(name))).toBe(reason);
  });
});

describe('what dpkg --verify prints', () => {
  it('is the edited configuration files, of all differences (1.21.22)', () => {
    const text =
      '??5?????? c /etc/bash.bashrc\n??5??????   /usr/bin/lamp\nmissing   c /etc/gone.conf\nmissing     /usr/bin/gone (Permission denied)\n';

    expect(editedIn(text)).toEqual(['/etc/bash.bashrc']);
    expect(editedIn('')).toEqual([]);
  });

  it.each(['??5??????  c /etc/a', '??5?????? c etc/a', 'dpkg: something'])('refuses %j', (line) => {
    expect(() => editedIn(`${line}\n`)).toThrow(/dpkg --verify/);
  });
});

it('a package of another architecture has a mark of its own', async () => {
  const rows = ['dpkg\tamd64', 'libc6\tamd64', 'libc6\ti386', 'tzdata\tall'];
  const marked = ['libc6\nArchitecture: i386', 'tzdata\nArchitecture: amd64'];
  const answers = {
    cat: marked.map((each) => `Package: ${each}\nAuto-Installed: 1\n\n`).join(''),
    'dpkg-query': rows.map((row) => `${row}\t1\tinstall\tok\tinstalled\n`).join(''),
  };
  const host = {
    run: ({ tool, parse }: ReadCommand<unknown>) =>
      Promise.resolve(parse({ exitCode: 0, stdout: answers[tool as 'cat'], stderr: '' })),
  };

  const known = await knownPackages(host as unknown as ReadHost);

  expect([...known.values()].filter(({ auto }) => auto).map(({ name }) => name)).toEqual([
    'libc6:i386',
    'tzdata',
  ]);
});

it('the commands that put lists of apt back leave the note of the step behind', () => {
  const store = '/var/lib/apt/.bofh-x';
  const undo = { file: '/etc/apt/sources.list.d/x.sources', sources: [], before: [], store };

  const clear = updateSource.describe?.({ undo, way: 'back' }).clear ?? [];

  expect(clear[0]?.join(' ')).toContain(`find ${store} -mindepth 1 ! -name result.json -exec mv `);
});
