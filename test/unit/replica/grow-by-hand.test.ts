import { expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import type { RefusedError } from '../../../src/core/errors.ts';
import { states } from '../../../src/drbd/index.ts';
import { drbd } from '../../../src/index.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { made, two } from './support.ts';

const on: [string, string] = ['alpha', 'there'];
const mib = 1024 ** 2;

/** web1 with two volumes on both hosts, primary on alpha. */
function withTwoVolumes() {
  const hosts = two();
  const volume = (at: number): string =>
    `volume ${at} { device minor ${at}; disk /dev/vg0/web1-${at}; meta-disk internal; }`;
  const part = (host: string, address: string): string =>
    `on ${host} { ${volume(0)} ${volume(1)} address ipv4 ${address}:7788; }`;
  const text = `resource web1 {\n${part('alpha', '10.0.0.1')}\n${part('beta', '10.0.0.2')}\n}\n`;
  const all = [hosts.alpha, hosts.there.host()];
  for (const { admin } of all) {
    for (const at of [0, 1]) {
      admin.lvcreate({ vg: 'vg0', name: `web1-${at}`, extents: 17 });
      admin.drbdMetadata(`/dev/vg0/web1-${at}`, `5e1f00000000000${at + 1}`, 'UpToDate');
    }
    admin.writeFile('/etc/drbd.d/web1.res', text);
    admin.drbdadm('up', 'web1');
  }
  hosts.alpha.admin.drbdadm('primary', 'web1');
  return { ...hosts, all };
}

async function typed(host: SimulatedHost, words: string): Promise<void> {
  const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });
  expect(await runVerb(runtime, words.split(' '))).toBe(0);
}

const remedyOf = async (act: () => Promise<unknown>): Promise<string> =>
  String(await act().then(String, (error: unknown) => (error as RefusedError).remedy));

it('one of two volumes grows by the commands that drbd grow prints', async () => {
  const hosts = withTwoVolumes();
  const grow = () => withBofh(hosts.here, () => drbd.grow({ name: 'web1', on, size: '+64m' }));
  const said = await remedyOf(grow);
  for (const host of hosts.all) {
    const name = host === hosts.alpha ? 'alpha' : 'beta';
    const [, command = ''] =
      new RegExp(`on ${name}: .*?, or bofh (lvm resize \\S+ \\S+) for volume 1`).exec(said) ?? [];
    await typed(host, command.replace('SIZE', '64m'));
  }
  const [, resize = ''] = /on the primary: bofh (.*)$/.exec(said) ?? [];
  await typed(hosts.alpha, resize.replace('NUMBER', '1'));
  const [first, second] = (await states(hosts.alpha))[0]?.volumes ?? [];
  expect([(first?.size ?? 0) < 68 * mib, (second?.size ?? 0) > 128 * mib]).toEqual([true, true]);
});

it('a resource without a primary grows after the command that drbd grow prints', async () => {
  const hosts = await made();
  const grow = () => withBofh(hosts.here, () => drbd.grow({ name: 'web1', on, size: '+64m' }));
  expect(await remedyOf(grow)).toContain('bofh drbd promote web1');
  await withBofh(hosts.here, () => drbd.promote({ name: 'web1', on }));
  expect((await grow()).to).toBeGreaterThan(120 * mib);
});
