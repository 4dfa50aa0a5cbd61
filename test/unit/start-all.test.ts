import { expect, it } from 'vitest';
import { startAll } from '../../src/api/xen.ts';
import { withBofh } from '../../src/bofh.ts';
import { simulatedBofh, simulatedHost } from '../../src/testing/index.ts';

it('a signal between two guests leaves the first running, and the table says what was not started', async () => {
  const host = simulatedHost();
  host.admin.writeFile('/boot/vmlinuz', 'x');
  for (const name of ['a', 'b'])
    host.admin.writeFile(`/etc/xen/${name}.cfg`, `name = '${name}'\nmemory = 64\nkernel = '/boot/vmlinuz'\n`);
  const stop = new AbortController();
  const bofh = { ...simulatedBofh({ host }), signals: { stop: stop.signal } };

  const rows = await withBofh(bofh, () => startAll({ onRow: () => stop.abort() }));

  expect(rows).toMatchObject([
    { name: 'a', was: 'off', now: 'running' },
    { name: 'b', was: 'off', now: 'off', error: 'not started: a signal came' },
  ]);
});
