import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine) => {
  test('cron runs what h.cron describes, with its % signs', async () => {
    await machine.must('systemctl start cron');
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';
       export default defineHost((h) => {
         h.cron('day', { schedule: '* * * * *', user: 'daemon', command: 'date +%%%Y >/tmp/year.new && mv /tmp/year.new /tmp/year' });
       });`,
    );
    await machine.must('bofh --yes host apply /root/host.ts');
    await machine.must("timeout 250 sh -c 'while ! [ -e /tmp/year ]; do sleep 1; done'");
    expect(await machine.must('cat /tmp/year; stat -c %U /tmp/year')).toMatch(/^%\d{4}\ndaemon\n$/);
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
  });
});
