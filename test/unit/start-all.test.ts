import { expect, it } from 'vitest';
import { start, startAll, stopAll } from '../../src/api/xen.ts';
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

it('a signal between two guests leaves the first running, and the table lists those that were not started', async () => {
  const host = hostWith('a', 'b');
  const stop = new AbortController();
  const bofh = { ...simulatedBofh({ host }), signals: { stop: stop.signal } };

  const rows = await withBofh(bofh, () => startAll({ parallel: 1, onRow: () => stop.abort() }));

  expect(rows).toMatchObject([
    { name: 'a', was: 'off', now: 'running' },
    { name: 'b', was: 'off', now: 'off', error: 'not started: interrupted by a signal' },
  ]);
});

/** The second line of the first journal, its `rollback`, does not reach the disk: nothing more is done then. */
function unsynced(host: SimulatedHost): void {
  host.fault({ tool: 'store', argvIncludes: 'datasync', nth: 2, mode: 'fails before' });
}

it('a guest whose undo fails is a row of the table, and the others are started', async () => {
  const host = hostWith('a', 'b');
  host.fault({ tool: 'xl', argvIncludes: 'a.cfg', mode: 'acts then fails' });
  unsynced(host);
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), { json: true });

  const exitCode = await runVerb(runtime, 'xen start-all --parallel 1');

  const rows = xenStartAll.parse(JSON.parse(stdout()));
  expect(rows).toMatchObject([
    { guest: 'a', was: 'off', now: 'unknown', error: containing('cannot be made durable') },
    { guest: 'b', was: 'off', now: 'running' },
  ]);
  expect(stderr()).toContain(`bofh journal show ${rows[0]?.journal ?? 'none'}; bofh recover`);
  expect(exitCode).toBe(3);
});

it('prints the same as a table', async () => {
  const host = hostWith('a', 'b');
  host.fault({ tool: 'xl', argvIncludes: 'a.cfg', mode: 'acts then fails' });
  unsynced(host);
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }));

  expect(await runVerb(runtime, 'xen start-all --parallel 1')).toBe(3);

  expect(stdout()).toMatch(/^a +off +unknown .*cannot be made durable.*\nb +off +running/m);
});

it('starting a running guest changes nothing, and is no failure', async () => {
  const host = hostWith('a');
  const on = <T>(body: () => Promise<T>) => withBofh(simulatedBofh({ host }), body);
  const first = await on(() => start('a'));
  const before = host.snapshot();

  expect(await on(() => start('a'))).toEqual({ domid: first.domid });
  expect(host.snapshot()).toBe(before);
});

it.each(['rbd:pool/image', 'nbd:10.0.0.1:10809'])(
  'a guest with the network disk %s starts',
  async (target) => {
    const host = hostWith('a');
    const disk = `disk = ['backendtype=qdisk,vdev=xvda,target=${target}']\n`;
    host.admin.writeFile('/etc/xen/a.cfg', `${host.admin.readFile('/etc/xen/a.cfg')}${disk}`);

    await withBofh(simulatedBofh({ host }), () => start('a'));

    expect(host.world.domains.map(({ name }) => name)).toEqual(['a']);
  },
);

/** How many guests `xl` starts or stops at once at most, and their names in the order in which it begins. */
function watched(host: SimulatedHost): {
  readonly host: SimulatedHost;
  readonly begun: string[];
  readonly most: () => number;
} {
  const begun: string[] = [];
  let [now, most] = [0, 0];
  const during: SimulatedHost['during'] = (step) => {
    const changes = host.during(step);
    return {
      ...changes,
      run: async (command) => {
        if (command.tool !== 'xl' || command.access === 'read') return changes.run(command);
        begun.push(command.argv.join(' '));
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
        return await changes.run(command).finally(() => (now -= 1));
      },
    };
  };
  return { host: { ...host, during }, begun, most: () => most };
}

it.each([
  [{}, 4],
  [{ parallel: 2 }, 2],
] as const)('guests of startOrder start one by one, the others %o at a time', async (options, atOnce) => {
  const host = hostWith('a', 'b', 'c', 'd', 'e', 'y', 'z');
  const { begun, most, ...seen } = watched(host);
  const bofh = simulatedBofh({ host: seen.host });
  const site = { ...bofh.site, startOrder: ['z', 'y'] };

  const rows = await withBofh({ ...bofh, site }, () => startAll(options));

  expect(rows.map(({ name, now }) => [name, now])).toEqual(
    ['z', 'y', 'a', 'b', 'c', 'd', 'e'].map((name) => [name, 'running']),
  );
  expect(begun.slice(0, 2)).toEqual([containing('z.cfg'), containing('y.cfg')]);
  expect(most()).toBe(atOnce);
  begun.length = 0;
  const stopped = await withBofh({ ...bofh, site }, () => stopAll({ forceOff: 'at once', ...options }));
  expect(stopped.map(({ name }) => name)).toEqual(['e', 'd', 'c', 'b', 'a', 'y', 'z']);
  expect(stopped.map(({ now }) => now)).toEqual(rows.map(() => 'off'));
});

it.each([
  [
    'xc: error: panic: xg_dom_core.c:320: xc_dom_chk_alloc_pages: segment kernel too large (0x3a00 > 0x4000 - 0x1000 pages): Out of memory',
    'give a more memory in /etc/xen/a.cfg: its kernel and ramdisk do not fit',
  ],
  [
    "xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory for domain: Out of memory",
    'see how much memory is free (xl info), and stop a guest or give a less in /etc/xen/a.cfg',
  ],
])('a guest without enough memory in xl: %s', async (stderr, remedy) => {
  const host = hostWith('a');
  host.fault({ tool: 'xl', argvIncludes: 'a.cfg', mode: 'fails before', exitCode: 3, stderr });

  const failed = withBofh(simulatedBofh({ host }), () => start('a'));

  await expect(failed).rejects.toMatchObject({ causeCode: 'no-space', cause: { remedy } });
});

it('--boot leaves out guests that do not start at boot, also those of startOrder', async () => {
  const host = hostWith('a', 'b', 'c');
  host.admin.symlink('/etc/xen/auto/b.cfg', '../b.cfg');
  const made = simulatedBofh({ host });
  const bofh = { ...made, site: { ...made.site, startOrder: ['c', 'b'] } };
  const { runtime, stdout } = testRuntime(bofh, { json: true });

  expect(await runVerb(runtime, 'xen start-all --autostart')).toBe(0);

  expect(xenStartAll.parse(JSON.parse(stdout()))).toMatchObject([{ guest: 'b', now: 'running' }]);
  expect(host.world.domains.map(({ name }) => name)).toEqual(['b']);
});

it('--boot without any such guest says how to add one', async () => {
  const { runtime, stderr } = testRuntime(simulatedBofh({ host: hostWith('a') }));

  expect(await runVerb(runtime, 'xen start-all --autostart')).toBe(0);

  expect(stderr()).toContain('bofh vm set NAME autostart=yes');
});
