import { expect, it } from 'vitest';
import { start, startAll } from '../../src/api/xen.ts';
import { withBofh } from '../../src/bofh.ts';
import { xenStartAll } from '../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { containing } from './cli/support/containing.ts';
import { runVerb } from './cli/support/run-verb.ts';
import { testRuntime } from './cli/support/runtime.ts';

/** A host with these guests configured. */
function hostWith(...names: readonly string[]): SimulatedHost {
  const host = simulatedHost();
  host.admin.writeFile('/boot/vmlinuz', 'x');
  for (const name of names)
    host.admin.writeFile(`/etc/xen/${name}.cfg`, `name = '${name}'\nmemory = 64\nkernel = '/boot/vmlinuz'\n`);
  return host;
}

it('a signal between two guests leaves the first running, and the table says what was not started', async () => {
  const host = hostWith('a', 'b');
  const stop = new AbortController();
  const bofh = { ...simulatedBofh({ host }), signals: { stop: stop.signal } };

  const rows = await withBofh(bofh, () => startAll({ onRow: () => stop.abort() }));

  expect(rows).toMatchObject([
    { name: 'a', was: 'off', now: 'running' },
    { name: 'b', was: 'off', now: 'off', error: 'not started: interrupted by a signal' },
  ]);
});

/** The second line of the first journal, its `rollback`, does not reach the disk: nothing more is done then. */
function unsynced(host: SimulatedHost): void {
  host.fault({ tool: 'store', argvIncludes: 'datasync', nth: 2, mode: 'fails before' });
}

it('a guest that cannot be undone is a row of the table, and the others are started', async () => {
  const host = hostWith('a', 'b');
  host.fault({ tool: 'xl', argvIncludes: 'a.cfg', mode: 'acts then fails' });
  unsynced(host);
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), { json: true });

  const exitCode = await runVerb(runtime, 'xen start-all');

  const rows = xenStartAll.parse(JSON.parse(stdout()));
  expect(rows).toMatchObject([
    { guest: 'a', was: 'off', now: 'unknown', error: containing('cannot be made durable') },
    { guest: 'b', was: 'off', now: 'running' },
  ]);
  expect(stderr()).toContain(`bofh journal show ${rows[0]?.journal ?? 'none'}; bofh recover`);
  expect(exitCode).toBe(3);
});

it('the same as a table', async () => {
  const host = hostWith('a', 'b');
  host.fault({ tool: 'xl', argvIncludes: 'a.cfg', mode: 'acts then fails' });
  unsynced(host);
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }));

  expect(await runVerb(runtime, 'xen start-all')).toBe(3);

  expect(stdout()).toMatch(/^a +off +unknown .*cannot be made durable.*\nb +off +running/m);
});

it('the start of a guest that runs already changes nothing, and is no failure', async () => {
  const host = hostWith('a');
  const on = <T>(body: () => Promise<T>) => withBofh(simulatedBofh({ host }), body);
  const first = await on(() => start('a'));
  const before = host.snapshot();

  expect(await on(() => start('a'))).toEqual({ domid: first.domid });
  expect(host.snapshot()).toBe(before);
});
