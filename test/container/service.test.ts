import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

/** A service whose unit file and program are described. */
const web = (program: string, more = ''): string => `import { defineHost } from 'bofh';
export default defineHost((h) => {
  const unit = h.file('/etc/systemd/system/web.service', { content: \`[Service]
ExecStart=/bin/sh /etc/web.sh
ExecReload=/bin/true
\${${JSON.stringify(more)}}
[Install]
WantedBy=multi-user.target
Also=web.socket
\` });
  const socket = h.file('/etc/systemd/system/web.socket', { content: '[Socket]\\nListenStream=/run/web.sock\\n[Install]\\nWantedBy=sockets.target\\n' });
  const program = h.file('/etc/web.sh', { content: ${JSON.stringify(program)} });
  h.service('web', { enabled: true, running: true, restartOn: [unit, program] });
});`;

inContainers((machine) => {
  const apply = async (description: string) => {
    await machine.put('/root/host.ts', description);
    return machine.run('bofh --yes host apply /root/host.ts');
  };
  const state = (): Promise<string> =>
    machine.must(
      `sha256sum /etc/web.sh /etc/systemd/system/web.s*; systemctl is-active web || :; systemctl is-enabled web web.socket || :
       find /etc/systemd/system -name 'web*' -printf '%p %l\\n' | sort; systemctl show -p NeedDaemonReload,User web`,
    );
  /** What the service runs. */
  const running = (): Promise<string> =>
    machine.must(
      'ps --no-headers -o args --pid "$(systemctl show -p MainPID --value web)"; systemctl show -p User --value web',
    );

  test('enables and starts it, restarts it after a change, and then has nothing to do', async () => {
    const first = await apply(web('exec sleep infinity\n'));
    expect(first.text).toContain('enable, start web.service');
    expect(await machine.must('systemctl is-active web; systemctl is-enabled web web.socket')).toBe(
      'active\nenabled\nenabled\n',
    );
    const pid = 'systemctl show -p MainPID --value web';
    const old = await machine.must(pid);
    expect((await apply(web('# new\nexec sleep infinity\n', 'User=nobody'))).text).toContain(
      'restart web.service',
    );
    expect(await machine.must(pid)).not.toBe(old);
    expect(await running()).toBe('sleep infinity\nnobody\n');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
    expect(await machine.must('bofh journal list')).not.toContain('unfinished');
  });

  test.each([
    ['exec sleep 3\n', ''],
    ['exit 1\n', ''],
    // It waits to be started again, and would be up and down for ever.
    ['sleep 2; exit 1\n', 'Restart=on-failure\nRestartSec=30'],
  ])('one that dies leaves everything as it was: %j %j', async (program, more) => {
    const before = await state();
    const failed = await apply(web(program, `User=daemon\n${more}`));
    expect(failed).toMatchObject({ exitCode: 5 });
    expect(failed.text).toMatch(/web\.service (?:did not stay up for 5 s|does not run)/);
    expect(await state()).toBe(before);
    expect(await running()).toBe('sleep infinity\nnobody\n');
  });

  test('recover undoes everything after bofh was killed while it watched the service', async () => {
    const before = await state();
    await machine.put('/root/host.ts', web('# killed\nexec sleep infinity\n', 'User=daemon'));
    await machine.run(
      'bofh --yes host apply /root/host.ts >/dev/null 2>&1 & for try in $(seq 300); do systemctl show -p User --value web | grep -q daemon && systemctl is-active -q web && break; sleep 0.1; done; sleep 1; kill -9 $!',
    );
    expect(await state()).not.toBe(before);
    await machine.must('bofh recover');
    expect(await state()).toBe(before);
    expect(await running()).toBe('sleep infinity\nnobody\n');
  });

  test('watches a service again that PartOf= restarts with another one; the undo of a stop starts both', async () => {
    const both = (version: string): string => `import { defineHost } from 'bofh';
export default defineHost((h) => {
  for (const [name, more] of [['part', 'PartOf=lead.service'], ['lead', '']]) {
    const unit = h.file(\`/etc/systemd/system/\${name}.service\`, {
      content: \`# ${version}\\n[Unit]\\n\${more}\\n[Service]\\nExecStart=/bin/sleep infinity\\n\`,
    });
    h.service(name, { running: true, restartOn: [unit] });
  }
});`;
    await apply(both('1'));
    const second = await apply(both('2'));
    expect(second.exitCode, second.text).toBe(0);
    expect(second.text).toMatch(/restart part\.service[^]*restart lead\.service/);
    expect(await machine.must('systemctl is-active part lead')).toBe('active\nactive\n');

    // systemd stops the part together with the one that it belongs to.
    const dies = await apply(`import { defineHost } from 'bofh';
export default defineHost((h) => {
  h.service('lead', { running: false });
  h.file('/etc/systemd/system/dies.service', { content: '[Service]\\nExecStart=/bin/sleep 2\\n' });
  h.service('dies', { running: true });
});`);
    expect(dies, dies.text).toMatchObject({ exitCode: 5 });
    expect(await machine.must('systemctl is-active part lead')).toBe('active\nactive\n');
    await machine.must(
      'systemctl stop part lead; rm /etc/systemd/system/part.service /etc/systemd/system/lead.service; systemctl daemon-reload',
    );
  });

  test('refuses impossible requests, with a remedy, before anything changes', async () => {
    await machine.must(
      `cd /etc/systemd/system; printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >once.service
       ln -s /dev/null masked.service; systemctl daemon-reload; systemctl start web.socket 2>/dev/null || { systemctl stop web; systemctl start web.socket web; }`,
    );
    for (const [call, message] of [
      ["h.service('none', { running: true })", 'there is no unit none.service'],
      ["h.service('masked', { running: true })", 'systemctl unmask masked.service'],
      ["h.service('once', { running: true })", 'once.service is a oneshot'],
      ["h.service('once', { enabled: true })", 'has no [Install] section'],
      ["h.service('web', { running: false })", 'web.socket would start web.service again'],
    ] as const) {
      const before = await state();
      const said = await apply(
        `import { defineHost } from 'bofh'; export default defineHost((h) => ${call});`,
      );
      expect(said.exitCode, said.text).toBe(1);
      expect(said.text).toContain(message);
      expect(await state()).toBe(before);
    }
  });

  test('disables and stops it; a failure restores exactly the links that were there', async () => {
    await machine.must(
      'systemctl stop web.socket; mkdir -p /etc/systemd/system/rescue.target.wants; ln -s ../web.service /etc/systemd/system/rescue.target.wants/',
    );
    const before = await state();
    const off = (more: string): string =>
      `import { defineHost } from 'bofh'; export default defineHost((h) => { h.service('web', { enabled: false, running: false }); ${more} });`;
    const failed = await apply(off("h.service('brief', { running: true, seconds: 4 });"));
    expect(failed.exitCode).toBe(1);
    await machine.must(
      `printf '[Service]\\nExecStart=/bin/sleep 2\\n' >/etc/systemd/system/brief.service; systemctl daemon-reload`,
    );
    const dies = await apply(off("h.service('brief', { running: true, seconds: 4 });"));
    expect(dies).toMatchObject({ exitCode: 5 });
    expect(await state()).toBe(before);
    expect((await apply(off(''))).text).toContain('disable, stop web.service');
    expect(await machine.must('systemctl is-enabled web web.socket || :; systemctl is-active web || :')).toBe(
      'disabled\ndisabled\ninactive\n',
    );
  });
});
