import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Said } from '../support/containers/docker.ts';
import { mustRun } from '../support/rig/process.ts';
import { inRoot, projectAs } from './support.ts';
import { testUnderSystemd } from './systemd.ts';

// `npm run test:packages`, as root: in a Debian root of each release bofh is installed from a signed repository, upgraded with an open
// journal, downgraded, removed and purged. It takes some minutes, and 4 GB in /var/tmp.

const releases = [
  { number: 12, suite: 'bookworm', file: 'bofh_1.0.0+deb12_amd64.deb' },
  { number: 13, suite: 'trixie', file: 'bofh_1.0.0+deb13_all.deb' },
] as const;
const units = [
  'bofh-recover.service',
  'bofh-recover-hosts.service',
  'bofh-recover-unconfirmed.service',
  'bofh-start-all.service',
];

const work = mkdtempSync('/var/tmp/bofh-packages-');
const [old, both] = [join(work, 'old'), join(work, 'both')];
/** Fast instead of small. */
const fast = ['env', `GNUPGHOME=${work}/gpg`, 'DPKG_DEB_COMPRESSOR_TYPE=gzip', 'DPKG_DEB_COMPRESSOR_LEVEL=1'];

async function build(version: string, to: string, repository: readonly string[]): Promise<void> {
  const copy = join(work, `bofh-${version}`);
  if (!existsSync(copy)) await projectAs(version, copy);
  const script = [process.execPath, 'scripts/package-deb.mjs', to, ...repository];
  await mustRun({
    argv: [...fast, 'SOURCE_DATE_EPOCH=1790000000', ...script],
    cwd: copy,
    timeoutMs: 900_000,
  });
}

beforeAll(async () => {
  mkdirSync(join(work, 'gpg'), { mode: 0o700 });
  const key = [
    '--batch',
    '--passphrase',
    '',
    '--quick-generate-key',
    'bofh test',
    'default',
    'default',
    'never',
  ];
  await mustRun({ argv: [...fast, 'gpg', ...key] });
  const signed = (at: string): readonly string[] => ['--apt-repository', at, '--key', 'bofh test'];
  await build('1.0.0', join(work, 'debs'), signed(old));
  cpSync(old, both, { recursive: true });
  await build('2.0.0', join(work, 'debs'), signed(both));
}, 1_800_000);

afterAll(async () => {
  await mustRun({ argv: [...fast, 'gpgconf', '--kill', 'all'] });
  rmSync(work, { recursive: true, force: true });
});

test('two builds are the same', async () => {
  await build('1.0.0', join(work, 'again'), []);

  const digests = (at: string): readonly string[] =>
    releases.map(({ file }) =>
      createHash('sha256')
        .update(readFileSync(join(work, at, file)))
        .digest('hex'),
    );
  expect(digests('again')).toEqual(digests('debs'));
}, 900_000);

describe.each(releases)('Debian $number', ({ number, suite, file }) => {
  const at = join(work, suite);
  const run = (script: string): Promise<Said> => inRoot(at, script);
  /** As `run`, but it must succeed. */
  const must = async (script: string): Promise<string> => {
    const said = await run(script);
    expect(said, script).toMatchObject({ exitCode: 0 });
    return said.text;
  };
  const apt = 'DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet';
  const inside = (path: string): string => join(at, path);
  const journals = (): readonly string[] =>
    readdirSync(inside('/var/lib/bofh/journal')).filter((name) => name.endsWith('.journal'));
  const leaveUnfinished = async (): Promise<void> => {
    expect((await run('bofh run /root/killed.ts')).text).toContain('Killed');
    expect(journals()).toHaveLength(1);
    expect(existsSync(inside('/root/half'))).toBe(true);
  };
  const isEnabled = async (): Promise<readonly string[]> =>
    (await run(`systemctl --root=/ is-enabled ${units.join(' ')}`)).text.trim().split('\n');

  beforeAll(async () => {
    await mustRun({ argv: ['mmdebstrap', '--variant=apt', '--include=systemd', suite, `${at}.tar`] });
    mkdirSync(at);
    await mustRun({ argv: ['tar', '-xf', `${at}.tar`, '-C', at] });
    // No package starts a daemon here.
    writeFileSync(inside('/usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    cpSync(old, inside('/srv/bofh'), { recursive: true });
    writeFileSync(
      inside('/etc/apt/sources.list.d/bofh.sources'),
      `Types: deb\nURIs: file:/srv/bofh\nSuites: ${suite}\nComponents: main\nSigned-By: /srv/bofh/bofh.gpg\n`,
    );
    writeFileSync(
      inside('/root/killed.ts'),
      `import { atomic } from 'bofh';
       await atomic('killed', async (tx) => {
         await tx.file.create({ path: '/root/half', content: 'half' });
         process.kill(process.pid, 'SIGKILL');
       });`,
    );
    writeFileSync(
      inside('/root/waiting.ts'),
      `import { atomic } from 'bofh';
       import { existsSync } from 'node:fs';
       import { setTimeout as delay } from 'node:timers/promises';
       await atomic('waiting', async (tx) => {
         await tx.file.create({ path: '/root/waited', content: 'whole' });
         while (existsSync('/root/wait')) await delay(100);
       });`,
    );
  }, 600_000);

  test('apt does not hide the settings of a site in another file', async () => {
    await must(`${apt} update; mkdir /etc/bofh; echo '{}' >/etc/bofh/site-specific.json`);

    const said = await run(`${apt} install --no-install-recommends bofh`);

    expect(said.exitCode).toBe(100);
    expect(said.text).toContain(
      'bofh would read this file instead of /etc/bofh/site-specific.json: rename /etc/bofh/site-specific.json, install again',
    );
    await must('rm -r /etc/bofh');
  });

  test('apt install bofh brings the command, units, completions, manual pages and the programs bofh starts', async () => {
    const said = await must(`${apt} install bofh`);

    expect(said).not.toMatch(/warning|not secure|unauthenticated/i);
    expect(await must('bofh --version')).toBe('1.0.0\n');
    expect(await must('bofh completion bash')).toBe(
      readFileSync(inside('/usr/share/bash-completion/completions/bofh'), 'utf8'),
    );
    expect((await run('node --version')).exitCode).toBe(number === 12 ? 127 : 0);
    expect(await isEnabled()).toEqual(['enabled', 'enabled', 'enabled', 'disabled']);
    const status = JSON.parse(await must('bofh --json boot status')) as readonly {
      state: string;
      file: string;
    }[];
    expect(status.map(({ state, file: path }) => `${state} ${path.replace(/[^/]*$/, '')}`)).toEqual(
      Array.from({ length: 6 }, () => 'installed /usr/lib/systemd/system/'),
    );
    for (const path of ['man/man1/bofh-vm.1.gz', 'zsh/vendor-completions/_bofh', 'doc/bofh/README.md'])
      expect(existsSync(inside(`/usr/share/${path}`)), path).toBe(true);
    // The root itself is no sound host: the doctor finds problems, but not of the package.
    const doctor = (await run('bofh doctor')).text.split('\n');
    const checks = doctor.filter((line) => /^\w+ +(?:programs|site file): /.test(line));
    expect(checks.filter((line) => !line.startsWith('ok '))).toEqual([]);
    expect(checks.length).toBeGreaterThan(15);
    await must('bofh block image create /root/disk.img 1m && test -s /root/disk.img');
  }, 900_000);

  test('upgrade and remove are refused while a sequence runs, and that one ends well', async () => {
    rmSync(inside('/srv/bofh'), { recursive: true });
    cpSync(both, inside('/srv/bofh'), { recursive: true });

    const said = await must(
      `${apt} update
       touch /root/wait; bofh run /root/waiting.ts & waiting=$!
       until [ -e /root/waited ]; do sleep 0.1; done
       ${apt} install --only-upgrade bofh && exit 1
       ${apt} remove bofh && exit 1
       rm /root/wait; wait $waiting; cat /root/waited`,
    );

    expect(said).toMatch(
      /bofh: a sequence is running \(\/var\/lib\/bofh\/journal\/.*\.journal\): wait until .*, then install again/,
    );
    expect(said).toMatch(/bofh: a sequence is running \(.*\.journal\): wait until .*, then remove again/);
    expect(said).toMatch(/whole$/);
    expect(await must('bofh --version; dpkg --audit')).toBe('1.0.0\n');
  });

  test('an upgrade with an open journal says how to finish it, and changes neither it nor settings', async () => {
    await must(
      'systemctl --root=/ disable bofh-recover-hosts.service; echo "// mine" >>/etc/bofh/site-specific.ts',
    );
    await leaveUnfinished();
    const before = readFileSync(inside(`/var/lib/bofh/journal/${journals()[0] ?? ''}`));

    const said = await must(`${apt} install --only-upgrade bofh`);

    expect(said).toMatch(
      /bofh: a sequence is unfinished \(.*\.journal\): see "bofh journal list", then run "bofh recover"/,
    );
    expect(await must('bofh --version')).toBe('2.0.0\n');
    expect(readFileSync(inside(`/var/lib/bofh/journal/${journals()[0] ?? ''}`))).toEqual(before);
    expect(await isEnabled()).toEqual(['enabled', 'disabled', 'enabled', 'disabled']);
    expect(readFileSync(inside('/etc/bofh/site-specific.ts'), 'utf8')).toMatch(/\/\/ mine\n$/);
  });

  test('a downgrade with an open journal is refused, and works after bofh recover', async () => {
    const downgrade = `${apt} install --allow-downgrades bofh=1.0.0+deb${String(number)}`;

    const said = await run(downgrade);

    expect(said.exitCode).toBe(100);
    expect(said.text).toContain(`install 2.0.0+deb${String(number)}, run "bofh recover", then install again`);
    expect(await must('bofh --version; dpkg --audit')).toBe('2.0.0\n');
    await must('bofh recover');
    expect(journals()).toEqual([]);
    expect(existsSync(inside('/root/half'))).toBe(false);
    await must(downgrade);
    expect(await must('bofh --version')).toBe('1.0.0\n');
  });

  test('remove and purge keep the journal of an unfinished sequence', async () => {
    await leaveUnfinished();

    expect(await must(`${apt} remove bofh`)).toMatch(
      /a sequence is unfinished, and .*\.journal stays: install bofh again/,
    );
    expect(existsSync(inside('/usr/lib/bofh'))).toBe(false);
    expect(existsSync(inside('/etc/bofh/site-specific.ts'))).toBe(true);
    expect(await must(`${apt} purge bofh`)).toMatch(
      /bofh: \/var\/lib\/bofh stays, because .*\.journal is still needed/,
    );
    expect(existsSync(inside('/etc/bofh'))).toBe(false);

    expect(await must(`${apt} install bofh`)).toContain('bofh: a sequence is unfinished');
    await must('bofh recover');
    expect(existsSync(inside('/root/half'))).toBe(false);
  });

  test.each(['reservations/ID', 'snapshots/web1@a.json'])('purge keeps %s', async (name) => {
    await must(`mkdir -p /var/lib/bofh/${dirname(name)}; echo >/var/lib/bofh/${name}`);

    expect(await must(`${apt} purge bofh`)).toContain(`stays, because /var/lib/bofh/${name} is still needed`);

    await must(`rm /var/lib/bofh/${name}; ${apt} install bofh`);
  });

  test('purge leaves nothing', async () => {
    await must(`${apt} purge bofh`);

    const others = ['/proc/*', '/root/*', '/run/*', '/srv/*', '/var/lib/apt/lists/*', '/etc/apt/*'];
    expect(
      await must(`find / -name "*bofh*" ${others.map((path) => `-not -path "${path}"`).join(' ')}`),
    ).toBe('');
  });

  test('lintian finds nothing', async () => {
    cpSync(join(work, 'debs', file), inside(`/root/${file}`));
    await must(`${apt} install --no-install-recommends lintian`);

    expect(await must(`lintian --allow-root --fail-on error,warning /root/${file}`)).toBe('');
  }, 900_000);
});

testUnderSystemd(releases, { work, old, both });
