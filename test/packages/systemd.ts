import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootDebian, type Machine, startDocker } from '../support/containers/docker.ts';
import { ownBootId } from '../support/containers/boot-id.ts';
import { mustRun } from '../support/rig/process.ts';

const services = [
  'bofh-recover.service',
  'bofh-recover-hosts.service',
  'bofh-recover-unconfirmed.service',
  'bofh-start-all.service',
];
const timers = ['bofh-recover.timer', 'bofh-recover-hosts.timer'];

/** What docs/packaging.md tells to write into bofh.sources. */
function sources(uri: string, suite: string): string {
  const page = readFileSync(join(import.meta.dirname, '../../docs/packaging.md'), 'utf8');
  const text = /```\n(?<text>Types: deb\n[^`]*)```/.exec(page)?.groups?.text ?? '';
  const own = text.replace('https://apt.example.org', uri).replace('bookworm', suite);
  expect(own).toContain(`URIs: ${uri}\nSuites: ${suite}\n`);
  return own;
}

/** The same packages in a container of each release, where systemd is process 1. `work` has the repositories. */
export function testUnderSystemd(
  releases: readonly { readonly number: number; readonly suite: string }[],
  { work, old, both }: { readonly work: string; readonly old: string; readonly both: string },
): void {
  let docker: Awaited<ReturnType<typeof startDocker>>;
  beforeAll(async () => {
    docker = await startDocker(join(work, 'docker'));
  }, 120_000);
  afterAll(async () => docker.stop());

  describe.each(releases)('Debian $number under systemd', ({ suite }) => {
    const served = join(work, `served-${suite}`);
    const apt = 'DEBIAN_FRONTEND=noninteractive apt --yes';
    let machine: Machine | undefined;
    let image = '';
    const run: Machine['run'] = (script) =>
      machine?.run(script) ?? Promise.reject(new Error('the container did not boot'));
    const must: Machine['must'] = (script) =>
      machine?.must(script) ?? Promise.reject(new Error('the container did not boot'));
    const put: Machine['put'] = async (path, content) =>
      machine?.put(
        path,
        `${content}
`,
      );
    const of = async (verb: string, units: readonly string[]): Promise<readonly string[]> =>
      (await run(`systemctl ${verb} ${units.join(' ')}`)).text.trim().split('\n');
    const serve = (repository: string): void => {
      rmSync(served, { recursive: true, force: true });
      cpSync(repository, served, { recursive: true });
    };

    beforeAll(async () => {
      const tar = join(work, `${suite}-systemd.tar`);
      const packages = 'systemd-sysv,dbus,man-db,bash-completion';
      await mustRun({ argv: ['mmdebstrap', '--variant=apt', `--include=${packages}`, suite, tar] });
      image = await docker.run('import', tar);
      machine = await bootDebian(docker, { image, volumes: [`${work}:${work}`], network: 'host' });
      serve(old);
      await ownBootId({ must, put });
      await put(
        '/root/killed.ts',
        `import { atomic } from 'bofh';
         await atomic('killed', async (tx) => {
           await tx.file.create({ path: '/root/half', content: 'half' });
           process.kill(process.pid, 'SIGKILL');
         });`,
      );
    }, 900_000);

    afterAll(async () => {
      await machine?.remove();
      await docker.run('rmi', image);
    });

    test('the commands of the page install it, and start nothing', async () => {
      await must(`cp ${served}/bofh.gpg /etc/apt/keyrings/`);
      await put('/etc/apt/sources.list.d/bofh.sources', sources(`file:${served}`, suite));

      const said = await must(`${apt} update; ${apt} install bofh`);

      expect(said).not.toMatch(/not secure|unauthenticated|failed/i);
      expect(await of('is-enabled', services)).toEqual(['enabled', 'enabled', 'enabled', 'disabled']);
      expect(await of('is-active', [...services, ...timers])).toEqual(Array(6).fill('inactive'));
    }, 900_000);

    test('the manual page and the completion are found', async () => {
      expect(await must('MANPAGER=cat MANWIDTH=80 man bofh')).toMatch(/^BOFH\(1\)/m);
      expect(await must('man -w bofh-vm')).toBe('/usr/share/man/man1/bofh-vm.1.gz\n');
      const load = '. /usr/share/bash-completion/bash_completion; _completion_loader bofh; complete -p bofh';
      expect(await must(`bash -c '${load}'`)).toMatch(/^complete .* bofh$/m);
    });

    test('bofh init --yes replaces the unchanged example, and the doctor reads it', async () => {
      const example = await must('cat /etc/bofh/site-specific.ts');

      await must('bofh init --yes');

      const written = await must('cat /etc/bofh/site-specific.ts');
      expect(written).not.toBe(example);
      expect((await run('bofh init --yes')).exitCode).not.toBe(0);
      expect(await must('cat /etc/bofh/site-specific.ts')).toBe(written);
      // A container is no sound host: the doctor finds problems, but not of the package.
      const doctor = (await run('bofh doctor')).text.split('\n');
      const checks = doctor.filter((line) => /^\w+ +(?:programs|site file): /.test(line));
      expect(checks.filter((line) => !line.startsWith('ok '))).toEqual([]);
      expect(checks.length).toBeGreaterThan(15);
    });

    test('an upgrade keeps an unfinished sequence, which the next boot undoes', async () => {
      expect((await run('bofh run /root/killed.ts')).text).toContain('Killed');
      const written = await must('cat /etc/bofh/site-specific.ts');
      serve(both);

      const said = await must(`${apt} update; ${apt} install --only-upgrade bofh`);

      expect(said).toContain('bofh: a sequence is unfinished');
      expect(await must('bofh --version')).toBe('2.0.0\n');
      expect(await must('cat /etc/bofh/site-specific.ts')).toBe(written);
      expect(await of('is-active', services)).toEqual(Array(4).fill('inactive'));
      expect(await must('cat /root/half')).toBe('half');
      expect(await must('ls /var/lib/bofh/journal')).toMatch(/\.journal$/m);

      await machine?.boot();

      expect(await must('systemctl show --property Result,ExecMainStatus bofh-recover.service')).toBe(
        'Result=success\nExecMainStatus=0\n',
      );
      expect(await must('journalctl --boot --unit bofh-recover.service')).toMatch(/killed/);
      expect((await run('test -e /root/half')).exitCode).toBe(1);
      expect(await of('is-active', ['bofh-start-all.service', ...timers])).toEqual(Array(3).fill('inactive'));
    }, 900_000);

    test('remove removes the units, purge leaves nothing', async () => {
      await must(`${apt} remove bofh`);

      // As with every Debian package, what was enabled stays so until the purge.
      expect((await run('systemctl list-unit-files "bofh*"')).text).toContain('0 unit files listed.');
      expect(await of('is-active', [...services, ...timers])).toEqual(Array(6).fill('inactive'));
      expect(await must('ls /etc/bofh')).toBe('site-specific.ts\n');

      await must(`${apt} purge bofh`);

      // What man(1) and apt keep of it is theirs.
      const others = ['/root', work, '/var/cache/man', '/var/lib/apt/lists', '/etc/apt'];
      const except = others.map((path) => `-path "${path}"`).join(' -o ');
      expect(await must(`find / -xdev \\( ${except} \\) -prune -o -name "*bofh*" -print`)).toBe('');
      expect(await must('systemctl list-units --all "bofh*"')).toContain('0 loaded units listed.');
    }, 900_000);
  });
}
