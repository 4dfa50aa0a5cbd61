import { expect, it } from 'vitest';
import * as answers from '../../../src/cli/answers/index.ts';
import { list, next, show, status } from '../../../src/cli/drbd.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/testing/index.ts';
import { replicated, up } from '../drbd/support.ts';
import { testRuntime } from './support/runtime.ts';

const at = (host: SimulatedHost, said: Parameters<typeof testRuntime>[1] = {}) =>
  testRuntime(simulatedBofh({ host }), said);

it('bofh drbd list has a row for each volume, with its peer', async () => {
  const { runtime, stdout } = at(up(), { json: true });
  expect(await list(runtime)).toBe(0);
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

it('bofh drbd list is a table for people, and says when there is nothing', async () => {
  const some = at(replicated());
  await list(some.runtime);
  expect(some.stdout()).toMatch(/^RESOURCE +DEVICE +ROLE +DISK/);
  expect(some.stdout()).toMatch(/^web1\/0 +\/dev\/drbd0 +down +- +- +\/dev\/vg0\/web1-root/m);
  const none = at(simulatedHost());
  await list(none.runtime);
  expect(none.stderr()).toContain('there is no DRBD resource on this host');
});

it('bofh drbd status says what is not as it should be, in words and with a remedy', async () => {
  const host = up();
  host.admin.setDrbd('web1', { connection: 'StandAlone' });
  const { runtime, stdout } = at(host);
  expect(await status(runtime, 'web1')).toBe(0);
  expect(stdout()).toMatch(/^web1: it is StandAlone: .*split brain.*\n {2}.*--discard-my-data web1/m);
  const json = at(replicated(), { json: true });
  await status(json.runtime, undefined);
  expect(answers.drbdStatus.parse(JSON.parse(json.stdout()))).toEqual([
    {
      ...{ resource: 'web1', up: false },
      findings: [{ level: 'note', words: 'it is not up', remedy: 'bring it up: drbdadm up web1' }],
    },
  ]);
  await expect(status(at(host).runtime, 'web9')).rejects.toThrow('there is no DRBD resource web9');
});

it('bofh drbd show has the configuration and what the kernel has', async () => {
  const { runtime, stdout } = at(up());
  expect(await show(runtime, 'web1')).toBe(0);
  expect(stdout()).toContain('web1, configured in /etc/drbd.d/web1.res:1\n');
  expect(stdout()).toContain('on sim (this host): ipv4 10.0.0.1 port 7788\n');
  expect(stdout()).toContain('  volume 0: /dev/drbd0 on /dev/vg0/web1-root, metadata internal\n');
  expect(stdout()).toContain('net protocol C\n');
  expect(stdout()).toContain(
    'it is Secondary\n  volume 0: /dev/drbd0 UpToDate, 64 MiB\nto peer: Connecting, Unknown there\n',
  );
  const json = at(replicated(), { json: true });
  await show(json.runtime, 'web1');
  expect(answers.drbdShow.parse(JSON.parse(json.stdout()))).toMatchObject({
    state: null,
    hosts: [{ here: true }, { here: false }],
  });
});

it('bofh drbd next tells a port and a minor number that are free', async () => {
  const { runtime, stdout } = at(up(), { json: true });
  expect(await next(runtime)).toBe(0);
  expect(answers.drbdNext.parse(JSON.parse(stdout()))).toEqual({ port: 7789, minor: 1 });
});
