import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';
import { wholeHost } from '../support/containers/whole-host.ts';

inContainers((machine, { number }) => {
  test('bofh host facts', async () => {
    const facts: unknown = JSON.parse(await machine.must('bofh host facts --json'));

    expect(facts).toMatchObject({ os: { id: 'debian', version: String(number) } });
  });

  test('bofh host apply makes a file, once', async () => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';
       export default defineHost((h) => h.file('/etc/motd', { content: 'Ask before you reboot.\\n' }));`,
    );

    await machine.must('bofh --yes host apply /root/host.ts');

    expect(await machine.must('cat /etc/motd')).toBe('Ask before you reboot.\n');
    expect(await machine.must('bofh host plan /root/host.ts')).toBe('the host is as described\n');
  });

  test('--prune removes what is no longer in the description, also a running service', async () => {
    const describing = (body: string): Promise<void> =>
      machine.put(
        '/root/host.ts',
        `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${body}\n});\n`,
      );
    await describing('');
    await machine.must('bofh --yes host apply /root/host.ts');
    const before = await wholeHost(machine);
    await describing(`h.user('photos', { system: true }); h.directory('/srv/photos', { owner: 'photos' });
      h.directory('/etc/photos'); h.file('/etc/photos/main.conf', { content: 'x\\n' });
      h.file('/etc/systemd/system/photos.service', { content: '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' });
      h.service('photos', { enabled: true, running: true, restartOn: ['/etc/photos'] });`);
    await machine.must('bofh --yes host apply /root/host.ts');
    expect(await machine.must('systemctl is-active photos')).toBe('active\n');

    await describing('');
    expect(await machine.must('bofh host plan /root/host.ts')).toContain(
      'no longer described: file /etc/systemd/system/photos.service (--prune removes it)',
    );
    expect(await machine.must('bofh --yes host apply /root/host.ts --prune --confirm off')).toContain(
      'disable, stop photos.service',
    );

    expect(await wholeHost(machine)).toEqual(before);
    expect(await machine.must('bofh host plan /root/host.ts')).toBe('the host is as described\n');
  });
});
