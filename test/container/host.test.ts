import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

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
});
