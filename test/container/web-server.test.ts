import { beforeAll, expect, test } from 'vitest';
import { publish } from '../support/containers/debs.ts';
import { inContainers } from '../support/containers/releases.ts';

/** A package, its configuration in a directory that it brings, and its service. */
const described = (site: string): string => `import { defineHost } from 'bofh';
export default defineHost((h) => {
  h.package('server');
  const site = h.file('/etc/server.d/site.conf', { content: ${JSON.stringify(site)} });
  h.service('server', { enabled: true, running: true, restartOn: [site], seconds: 1 });
});`;

inContainers((machine) => {
  const host = async (verb: string, description: string) => {
    await machine.put('/root/host.ts', description);
    return machine.run(`bofh --yes host ${verb} /root/host.ts`);
  };
  const state = (): Promise<string> =>
    machine.must(
      `dpkg-query --list | grep server || :; ls -d /etc/server* || :; systemctl is-active server || :
       find /etc/systemd /usr/share/server* 2>/dev/null | sort`,
    );
  const plan = async (description: string): Promise<readonly string[]> =>
    (await host('plan', description)).text.split('\n').filter((line) => line !== '');

  beforeAll(async () => {
    await publish(machine, [
      {
        name: 'server',
        version: '1.0',
        files: {
          '/etc/server.d/README': 'One file for each site.\n',
          '/usr/lib/systemd/system/server.service':
            '[Service]\nExecStart=/bin/sh /etc/server.d/site.conf\n[Install]\nWantedBy=multi-user.target\n',
        },
        scripts: { postinst: 'systemctl daemon-reload', postrm: 'systemctl daemon-reload' },
      },
    ]);
  });

  test('the plan shows what depends on the package, and changes nothing', async () => {
    const before = await state();

    expect(await plan(described('exec sleep infinity\n'))).toEqual([
      expect.stringMatching(/^change packages server \(server 1\.0, download /),
      'create file /etc/server.d/site.conf (if the packages provide what it needs)',
      'if the packages provide it, set up server.service',
    ]);
    expect(await state()).toBe(before);
  });

  test('undoes the package too if the service dies with its configuration', async () => {
    const before = await state();

    const failed = await host('apply', described('exit 1\n'));

    expect(failed).toMatchObject({ exitCode: 5 });
    expect(failed.text).toMatch(/server\.service (?:did not stay up|does not run)/);
    expect(await state()).toBe(before);
  });

  test('applies everything at once, and a second run changes nothing', async () => {
    const done = await host('apply', described('exec sleep infinity\n'));

    expect(done).toMatchObject({ exitCode: 0 });
    expect(await machine.must('systemctl is-active server; systemctl is-enabled server')).toBe(
      'active\nenabled\n',
    );
    expect(await plan(described('exec sleep infinity\n'))).toContain('the host is as described');
    expect((await host('apply', described('# new\nexec sleep infinity\n'))).text).toContain(
      'restart server.service',
    );
  });
});
