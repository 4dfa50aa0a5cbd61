import { describe, expect, it, vi } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { ToolError } from '../../../src/core/errors.ts';
import {
  simulatedBofh,
  simulatedHost,
  simulatedPair,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { replicated, resourceText, up } from '../drbd/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const at = (host: SimulatedHost, said: Parameters<typeof testRuntime>[1] = {}) =>
  testRuntime(simulatedBofh({ host }), said);

it('bofh drbd list has a row for each volume, with its peer', async () => {
  const { runtime, stdout } = at(up(), { json: true });
  expect(await runVerb(runtime, 'drbd list')).toBe(0);
  expect(answers.drbdList.parse(JSON.parse(stdout()))).toEqual([
    {
      ...{ resource: 'web1', volume: 0, minor: 0, device: '/dev/drbd0', configured: true },
      ...{ role: 'Secondary', disk: 'UpToDate', size: 67_067_904, backing: '/dev/vg0/web1-root' },
      peers: [
        {
          ...{ name: 'peer', connection: 'Connecting', role: 'Unknown', disk: 'DUnknown' },
          ...{ replication: 'Off', outOfSync: 67_067_904 },
        },
      ],
    },
  ]);
});

it('bofh drbd list, show and status call the peer by the name of the only other host', async () => {
  const host = up();
  host.admin.writeFile('/etc/drbd.d/web1.res', resourceText('web1').replace('on peer', 'on web2'));
  host.admin.setDrbd('web1', { connection: 'StandAlone' });
  for (const [says, words] of [
    ['web2 (Unknown)', 'drbd list'],
    ['to web2: StandAlone', 'drbd show web1'],
    ['web2', 'drbd status web1'],
  ] as const) {
    const { runtime, stdout } = at(host);
    await runVerb(runtime, words);
    expect(stdout()).toContain(says);
  }
});

it('bofh drbd list prints a table, and says so when there is no resource', async () => {
  const some = at(replicated());
  await runVerb(some.runtime, 'drbd list');
  expect(some.stdout()).toMatch(/^RESOURCE +DEVICE +ROLE +DISK/);
  expect(some.stdout()).toMatch(/^web1\/0 +\/dev\/drbd0 +down +- +- +\/dev\/vg0\/web1-root/m);
  const none = at(simulatedHost());
  await runVerb(none.runtime, 'drbd list');
  expect(none.stderr()).toContain('there is no DRBD resource on this host');
});

it.each([
  ['SyncTarget', 'SyncTarget 0.0 %'],
  // During a verification, out-of-sync is what it has found.
  ['VerifyS', 'VerifyS'],
] as const)('bofh drbd list shows the progress of a resync only: %s', async (replication, sync) => {
  const host = up();
  const peer = { role: 'Secondary', disk: 'UpToDate' } as const;
  host.admin.setDrbd('web1', { connection: 'Connected', peer });
  for (const volume of host.world.drbd.resources[0]?.volumes ?? [])
    Object.assign(volume, { replication, outOfSync: 67_067_904 });
  const { runtime, stdout } = at(host);
  await runVerb(runtime, 'drbd list');
  expect(stdout().trimEnd().endsWith(`  ${sync}`)).toBe(true);
});

it('bofh drbd status shows problems and their remedies', async () => {
  const host = up();
  host.admin.setDrbd('web1', { connection: 'StandAlone' });
  const { runtime, stdout } = at(host);
  expect(await runVerb(runtime, 'drbd status web1')).toBe(0);
  expect(stdout()).toMatch(/^web1: it is StandAlone: .*split brain.*\n {2}.*--discard-my-data web1/m);
  const json = at(replicated(), { json: true });
  await runVerb(json.runtime, 'drbd status');
  expect(answers.drbdStatus.parse(JSON.parse(json.stdout()))).toEqual([
    {
      ...{ resource: 'web1', up: false },
      findings: [{ level: 'note', words: 'it is not up', remedy: 'bring it up: bofh drbd up web1' }],
    },
  ]);
  await expect(runVerb(at(host).runtime, 'drbd status web9')).rejects.toThrow(
    'there is no DRBD resource web9',
  );
});

it('bofh drbd status reports a split brain on the StandAlone side and on the side that still tries to connect', async () => {
  const alone = up();
  alone.admin.drbdadm('disconnect', 'web1');
  for (const host of [up(), alone]) {
    const { runtime, stdout } = at(host);
    await runVerb(runtime, 'drbd status web1');
    expect(stdout()).toMatch(
      /split brain.*That of this host: .*--discard-my-data web1.*That of the other host:/,
    );
  }
});

/** A host with the module, and without drbd-utils. */
function withoutPrograms(proc: string): Bofh {
  const bofh = simulatedBofh({ host: up() });
  const bare: Bofh['host'] = {
    ...bofh.host,
    run: (command) =>
      command.tool.startsWith('drbd')
        ? Promise.reject(new ToolError(`${command.tool} is not installed`))
        : bofh.host.run(command),
    readFile: (path) =>
      path === '/proc/drbd' ? Promise.resolve(Buffer.from(proc)) : bofh.host.readFile(path),
    stat: (path) => (path === '/proc/drbd' ? bofh.host.stat('/etc/drbd.conf') : bofh.host.stat(path)),
  };
  return { ...bofh, host: bare };
}

describe('without drbd-utils, only the kernel is asked', () => {
  const proc = (name: string): string => recorded(`proc/drbd-${name}@9.22.0-module-8.4.11`).stdout;

  it('by list, and by status, which says so', async () => {
    const split = withoutPrograms(proc('pair-split-brain'));
    const table = testRuntime(split, { json: true });
    await runVerb(table.runtime, 'drbd list');
    expect(answers.drbdList.parse(JSON.parse(table.stdout()))[0]).toMatchObject({ resource: null });
    const { runtime, stdout } = testRuntime(split);
    expect(await runVerb(runtime, 'drbd status')).toBe(0);
    expect(stdout()).toMatch(/^\/dev\/drbd\d+: drbd-utils is not installed.*\n.*install drbd-utils/m);
    expect(stdout()).toMatch(/it is StandAlone.*split brain/);
    const whole = testRuntime(withoutPrograms(proc('pair-connected')), { json: true });
    await runVerb(whole.runtime, 'drbd status');
    for (const { findings, up: isUp } of answers.drbdStatus.parse(JSON.parse(whole.stdout())))
      expect([
        isUp,
        findings.length > 0 && findings[0]?.words.includes('drbd-utils is not installed'),
      ]).toEqual([true, true]);
  });

  it('by status --watch', async () => {
    const { runtime, stdout } = testRuntime(withoutPrograms(proc('pair-syncing')), { json: true });
    const { signals, terminal } = runtime;
    const once = { ...terminal, heard: () => stdout() === '' };
    await runVerb({ ...runtime, signals, terminal: once }, 'drbd status --watch --every 1ms');
    const [first] = stdout()
      .trim()
      .split('\n')
      .map((each) => answers.drbdWatched.parse(JSON.parse(each)));
    expect(first?.resource).toMatch(/^\/dev\/drbd/);
    expect(first?.volumes[0]).toMatchObject({ connection: 'Connected' });
  });

  it('and status of one resource is an error', async () => {
    const { runtime } = testRuntime(withoutPrograms(proc('pair-connected')));
    await expect(runVerb(runtime, 'drbd status web1')).rejects.toBeInstanceOf(ToolError);
  });
});

it('bofh drbd show shows the configuration and the state in the kernel', async () => {
  const { runtime, stdout } = at(up());
  expect(await runVerb(runtime, 'drbd show web1')).toBe(0);
  expect(stdout()).toContain('web1, configured in /etc/drbd.d/web1.res:1\n');
  expect(stdout()).toContain('on sim (this host): ipv4 10.0.0.1 port 7788\n');
  expect(stdout()).toContain('  volume 0: /dev/drbd0 on /dev/vg0/web1-root, metadata internal\n');
  expect(stdout()).toContain('net protocol C\n');
  expect(stdout()).toContain(
    'it is Secondary\n  volume 0: /dev/drbd0 UpToDate, 64 MiB\nto peer: Connecting, Unknown there\n',
  );
  const json = at(replicated(), { json: true });
  await runVerb(json.runtime, 'drbd show web1');
  expect(answers.drbdShow.parse(JSON.parse(json.stdout()))).toMatchObject({
    state: null,
    hosts: [{ here: true }, { here: false }],
  });
});

it('bofh drbd show lists differences between the kernel and the file', async () => {
  const host = up();
  const whole = at(host);
  await runVerb(whole.runtime, 'drbd show web1');
  expect(whole.stdout()).not.toContain('otherwise');
  host.admin.removeFile('/etc/drbd.d/web1.res');
  host.admin.writeFile('/etc/drbd.d/web1.res', resourceText('web1', { port: 7799 }));
  const { runtime, stdout } = at(host);
  await runVerb(runtime, 'drbd show web1');
  expect(stdout()).toMatch(
    /^the kernel has other settings for it than \/etc\/drbd\.d\/web1\.res\. .*bofh drbd adjust web1\):\n {2}drbdsetup-84 disconnect .*:7788.*\n {2}drbdsetup-84 connect .*:7799/m,
  );
});

it('bofh drbd next shows a free port and a free minor number', async () => {
  const { runtime, stdout } = at(up(), { json: true });
  expect(await runVerb(runtime, 'drbd next')).toBe(0);
  expect(answers.drbdNext.parse(JSON.parse(stdout()))).toEqual({ port: 7789, minor: 1 });
});

it('bofh drbd next --on shows what is free on all named hosts', async () => {
  const there = simulatedHost({ hostname: 'far' });
  there.admin.writeFile('/etc/drbd.conf', 'include "drbd.d/*.res";\n');
  there.admin.writeFile('/etc/drbd.d/old.res', resourceText('old', { port: 7789, minor: 3 }));
  there.world.drbd.module = 'loaded';
  const { here } = simulatedPair({ here: up(), there });
  const { runtime, stdout } = testRuntime(here, { json: true });
  expect(await runVerb(runtime, 'drbd next --on sim,there')).toBe(0);
  expect(answers.drbdNext.parse(JSON.parse(stdout()))).toEqual({ port: 7790, minor: 1 });
  const other = testRuntime(here, { json: true });
  await runVerb(other.runtime, 'drbd next --on there');
  expect(JSON.parse(other.stdout())).toEqual({ port: 7788, minor: 0 });
  await expect(runVerb(testRuntime(here).runtime, 'drbd next --on ,')).rejects.toThrow(
    '--on ,: must name hosts',
  );
  await expect(runVerb(testRuntime(here).runtime, 'drbd next --on sim,nowhere')).rejects.toThrow(
    'no host "nowhere"',
  );
});

const hosts = 'sim=10.0.0.1:7790#0,peer=[fd00::2]:7791#1';

it('bofh drbd config create reads hosts, volumes and options', async () => {
  const host = replicated();
  const { runtime, stdout } = at(host, { json: true });
  const options = [
    `--hosts ${hosts} --volumes 5:/dev/vg0/a,peer=6:/dev/vg1/b --protocol B`,
    '--set net.verify-alg=sha256,disk.c-max-rate=1M',
  ];
  expect(await runVerb(runtime, ['drbd config create web2', ...options].join(' '))).toBe(0);
  expect(answers.drbdConfigCreate.parse(JSON.parse(stdout()))).toEqual({
    ...{ resource: 'web2', file: '/etc/drbd.d/web2.res', devices: ['/dev/drbd5'] },
  });
  const written = Buffer.from(await host.readFile('/etc/drbd.d/web2.res')).toString('utf8');
  expect(written).toContain('address ipv6 [fd00::2]:7791;');
  expect(written).toContain('device minor 6;\n      disk /dev/vg1/b;');
  expect(written).toContain('protocol B;\n    verify-alg sha256;');
  expect(written).toContain('  disk {\n    c-max-rate 1M;\n  }');
});

it('bofh drbd config create takes its lists in several options too', async () => {
  const host = replicated();
  const options = [
    ...hosts.split(',').map((each) => `--hosts ${each}`),
    '--volumes 5:/dev/vg0/a --volumes 6:/dev/vg0/b',
    '--set net.verify-alg=sha256 --set disk.c-max-rate=1M',
  ];
  expect(await runVerb(at(host).runtime, ['drbd config create web2', ...options].join(' '))).toBe(0);
  const written = Buffer.from(await host.readFile('/etc/drbd.d/web2.res')).toString('utf8');
  expect(written.match(/disk \/dev\/vg0\/[ab];/g)).toHaveLength(4);
  expect(written).toContain('verify-alg sha256;');
  expect(written).toContain('c-max-rate 1M;');
});

it.each([
  ['a host without an address', '--hosts sim --volumes 5:/dev/a', '--hosts sim: must be NAME=ADDRESS:PORT'],
  ['a volume without a device', `--hosts ${hosts} --volumes 5`, '--volumes 5: must be MINOR:DEVICE'],
  [
    'an unknown protocol',
    `--hosts ${hosts} --volumes 5:/dev/a --protocol D`,
    '--protocol D: must be A, B or C',
  ],
  [
    'an option without a section',
    `--hosts ${hosts} --volumes 5:/dev/a --set verify-alg=md5`,
    '--set verify-alg=md5: must be SECTION.OPTION=VALUE',
  ],
  [
    'a volume of a host that is not named',
    `--hosts ${hosts} --volumes 5:/dev/a,per=6:/dev/b`,
    '--volumes per=6:/dev/b: per is not one of --hosts: sim, peer',
  ],
  [
    'an option that is given twice',
    `--hosts ${hosts} --volumes 5:/dev/a --set net.verify-alg=md5 --set net.verify-alg=sha1`,
    '--set net.verify-alg is given twice',
  ],
])('bofh drbd config create refuses %s', async (_, options, words) => {
  const { runtime } = at(replicated());
  await expect(runVerb(runtime, `drbd config create web2 ${options}`)).rejects.toThrow(words);
});

it('bofh drbd config remove and create-md report what they did', async () => {
  const removed = at(replicated(), { yes: true });
  expect(await runVerb(removed.runtime, 'drbd config remove web1')).toBe(0);
  expect(removed.stdout()).toContain('removed the configuration of web1');
  const host = replicated();
  host.admin.format('/dev/vg0/web1-root', undefined);
  host.world.drbd.module = 'loaded';
  const made = at(host, { json: true });
  expect(await runVerb(made.runtime, 'drbd create-md web1 --volume 0')).toBe(0);
  expect(answers.drbdMetadata.parse(JSON.parse(made.stdout()))).toMatchObject({
    volume: 0,
    format: 'v08',
    dataSize: 67_067_904,
  });
  await expect(runVerb(made.runtime, 'drbd create-md web1 --volume x')).rejects.toThrow(
    '--volume x: must be a whole number',
  );
});

it('bofh drbd wipe-md asks, and reports which metadata it removed', async () => {
  const host = replicated();
  host.world.drbd.module = 'loaded';
  const wipe = 'drbd wipe-md web1 --overwrite 3bde6cc090b8231e';
  const no = testRuntime(simulatedBofh({ host }), {}, ['no']);
  await expect(runVerb(no.runtime, wipe)).rejects.toThrow();
  expect(no.stderr()).toContain('the metadata of web1 (uuid 3bde6cc090b8231e) will be removed');
  const { runtime, stdout } = at(host, { json: true, yes: true });
  expect(await runVerb(runtime, wipe)).toBe(0);
  expect(answers.drbdWiped.parse(JSON.parse(stdout()))).toEqual({
    ...{ resource: 'web1', volume: 0, device: '/dev/vg0/web1-root', uuid: '3bde6cc090b8231e' },
  });
});

it('bofh drbd wait-sync and wait-connect show the progress, and the state at the end', async () => {
  const host = up();
  host.admin.setDrbd('web1', { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
  for (const verb of ['wait-sync', 'wait-connect']) {
    const { runtime, stdout, stderr } = at(host, { json: true });
    expect(await runVerb(runtime, `drbd ${verb} web1`)).toBe(0);
    expect(stderr()).toContain('web1 volume 0 to peer: Established, UpToDate here, UpToDate there');
    expect(answers.drbdWaited.parse(JSON.parse(stdout())).volumes).toMatchObject([
      { volume: 0, connection: 'Connected' },
    ]);
  }
  await expect(runVerb(at(up()).runtime, 'drbd wait-connect web1 --time 0s')).rejects.toThrow(
    'has not reached that state after 0 s',
  );
});

it('bofh drbd status --watch shows each resource, then every change, until Ctrl-C', async () => {
  const host = up();
  const stop = new AbortController();
  const { runtime, stdout } = at(host, { json: true });
  const signals = { ...runtime.signals, stop: stop.signal };
  const watching = runVerb({ ...runtime, signals }, 'drbd status --watch --every 5ms');
  const lines = () =>
    stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => answers.drbdWatched.parse(JSON.parse(line)));
  await vi.waitFor(() => expect(lines()).toHaveLength(1));
  host.admin.setDrbd('web1', { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
  await vi.waitFor(() => expect(lines()).toHaveLength(2));
  await withBofh(simulatedBofh({ host }), () => atomic('down', (tx) => tx.drbd.down({ name: 'web1' })));
  await vi.waitFor(() => expect(lines()).toHaveLength(3));
  stop.abort();

  expect(await watching).toBe(0);
  expect(lines()).toMatchObject([
    { resource: 'web1', role: 'Secondary', volumes: [{ connection: 'Connecting', peerDisk: 'DUnknown' }] },
    { resource: 'web1', role: 'Secondary', volumes: [{ connection: 'Connected', peerDisk: 'UpToDate' }] },
    { resource: 'web1', role: null, volumes: [] },
  ]);
});

it('bofh drbd status --watch prints lines with the time, until the reader closes the pipe', async () => {
  const { runtime, stdout } = at(up());
  const terminal = { ...runtime.terminal, heard: () => stdout() === '' };

  expect(await runVerb({ ...runtime, terminal }, 'drbd status web1 --watch --every 5ms')).toBe(0);
  expect(stdout()).toMatch(
    /^\d\d:\d\d:\d\d web1 is Secondary, volume 0 to peer: Connecting, UpToDate here, DUnknown there\n$/,
  );
  await expect(runVerb(runtime, 'drbd status web1 --every 5s')).rejects.toThrow('--every needs --watch');
});

it('bofh drbd connect --discard-my-data asks first', async () => {
  const host = up();
  host.admin.drbdadm('disconnect', 'web1');
  await expect(runVerb(at(host).runtime, 'drbd connect web1 --discard-my-data')).rejects.toThrow(
    'needs confirmation',
  );
  const { runtime, stdout } = at(host, { yes: true });
  expect(await runVerb(runtime, 'drbd connect web1 --discard-my-data')).toBe(0);
  expect(stdout()).toContain('web1 tries to connect to its peers');
});
