import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publish } from '../support/containers/debs.ts';
import { inContainers } from '../support/containers/releases.ts';
import { mustRun } from '../support/rig/process.ts';

inContainers((machine) => {
  const home = mkdtempSync(join(tmpdir(), 'bofh-gpg-'));
  const gpg = async (argv: readonly string[], stdin = ''): Promise<string> => {
    const all = ['gpg', '--homedir', home, '--batch', '--quiet', '--passphrase', '', ...argv];
    return (await mustRun({ argv: all, stdin })).stdout.toString();
  };
  const keys = { right: '', wrong: '' };
  const uri = 'http://127.0.0.1:8080';

  const apply = async (call: string) => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${call}\n});\n`,
    );
    return machine.run('bofh --yes host apply /root/host.ts');
  };
  const source = (key: keyof typeof keys, uris = uri): string =>
    `h.aptSource('site', { uris: '${uris}', suites: 'stable', components: 'main', key: './${key}.asc' });`;
  /** Every file of apt, with inode and time, and the packages. */
  const state = (): Promise<string> =>
    machine.must(
      `find /etc/apt /var/lib/apt ! -type d ! -name lock ! -path '*/periodic/*' -printf '%p %i %T@ %l\\n' | sort
       ls -A /var/lib/apt; dpkg-query -W; ls -A /var/lib/bofh 2>/dev/null | grep packages || :`,
    );

  beforeAll(async () => {
    await publish(machine, [{ name: 'tiny', version: '1.0' }]);
    // Of another archive, to see that it stays.
    await machine.must(
      'mkdir -p /srv/r/dists/stable/main/binary-amd64 /srv/r/pool; mv /srv/archive/*.deb /srv/r/pool',
    );
    await publish(machine, [{ name: 'other', version: '1.0' }]);
    for (const name of ['right', 'wrong'] as const) {
      await gpg(['--quick-generate-key', `${name} <test@example.org>`, 'ed25519', 'sign', 'never']);
      keys[name] = await gpg(['--armor', '--export', `${name} <test@example.org>`]);
      await machine.put(`/root/${name}.asc`, keys[name]);
    }
    const release = await machine.must(
      `cd /srv/r; dpkg-scanpackages --multiversion pool >dists/stable/main/binary-amd64/Packages 2>/dev/null; cd dists/stable
       file=main/binary-amd64/Packages
       printf 'Suite: stable\\nCodename: stable\\nDate: %s\\nArchitectures: amd64\\nComponents: main\\nSHA256:\\n %s %s %s\\n' \
         "$(date -Ru)" "$(sha256sum $file | cut -d' ' -f1)" "$(stat -c %s $file)" $file`,
    );
    const user = ['--local-user', 'right <test@example.org>'];
    await machine.put('/srv/r/dists/stable/InRelease', await gpg([...user, '--clearsign'], release));
    await machine.put(
      '/root/server.mjs',
      `import { createServer } from 'node:http'; import { readFile } from 'node:fs/promises';
       createServer((request, answer) => readFile('/srv/r' + request.url).then((it) => answer.end(it), () => answer.writeHead(404).end()))
         .listen(8080, '127.0.0.1');`,
    );
    await machine.must('setsid node /root/server.mjs >/root/server.log 2>&1 & sleep 1');
  });

  afterAll(async () => {
    await mustRun({ argv: ['gpgconf', '--homedir', home, '--kill', 'all'] });
    rmSync(home, { recursive: true, force: true });
  });

  test('a plan writes nothing, and says that the result depends on the repository', async () => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';\nexport default defineHost((h) => { h.package('tiny'); ${source('right')} });\n`,
    );
    await machine.run('bofh host plan /root/host.ts');
    const before = await state();
    expect(await machine.must('bofh host plan /root/host.ts')).toBe(
      `create apt-source site (${uri} stable main, creates /etc/apt/keyrings/site.asc, creates /etc/apt/sources.list.d/site.sources, reads its lists)\nchange packages tiny (if the repository has it)\n`,
    );
    expect(await state()).toBe(before);
  });

  test.each([
    ['signed with another key', source('wrong'), 5, 'is not signed'],
    [
      'that cannot be reached',
      source('right', 'http://127.0.0.1:1'),
      5,
      'Failed to fetch http://127.0.0.1:1',
    ],
    ['that is not there', source('right', `${uri}/none`), 5, 'does not have a Release file'],
    ['without the package', `${source('right')} h.package('none');`, 5, 'Unable to locate package none'],
  ])('a repository %s fails, and everything is as before', async (_, call, code, message) => {
    const before = await state();
    const { exitCode, text } = await apply(call);
    expect([exitCode, text]).toEqual([code, expect.stringContaining(message)]);
    expect(await state()).toBe(before);
  });

  test('adds a repository and installs a package from it, once', async () => {
    const { exitCode, text } = await apply(`h.package('tiny'); ${source('right')}`);
    expect(exitCode, text).toBe(0);
    expect(await machine.must('cat /usr/share/tiny/version; ls -A /var/lib/apt')).not.toContain('.bofh');
    expect(await machine.must('apt-cache policy other tiny')).toMatch(
      /other:[^]*Candidate: 1\.0[^]*tiny:[^]*Installed: 1\.0/,
    );
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
  });

  test('a change that fails restores the old lists', async () => {
    const before = await state();
    expect((await apply(source('wrong'))).text).toContain('is not signed');
    expect(await state()).toBe(before);
  });

  test('recover restores the old lists after bofh was killed during the update', async () => {
    const before = await state();
    await machine.put(
      '/root/script.ts',
      `import { atomic } from 'bofh';
       await atomic('test', async (tx) => {
         await tx.packages.updateSource({ file: '/etc/apt/sources.list.d/site.sources' });
         await tx.shell.run({ name: 'waits', isDone: 'exit 1', run: 'touch /run/waits; sleep 600', undo: 'true' });
       });`,
    );
    await machine.must(
      `bofh run /root/script.ts >/root/log 2>&1 & pid=$!
       timeout 200 sh -c 'while ! [ -e /run/waits ]; do sleep 0.1; done'; kill -9 $pid`,
    );
    expect(await state()).not.toBe(before);
    await machine.must('bofh recover');
    expect(await state()).toBe(before);
  });
});
