import { expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

function stage() {
  const host = simulatedHost({ addresses: [] });
  const { domid } = host.admin.startDomain({ name: 'web1' });
  const at = (said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(simulatedBofh({ host }), said);
  return { host, at, vif: `vif${String(domid)}.0`, domid };
}

it('bofh network list shows the ports of bridges, and their guests', async () => {
  const { at, vif, domid } = stage();
  const { runtime, stdout } = at({ json: true });
  expect(await runVerb(runtime, 'network list')).toBe(0);
  const all = answers.networkList.parse(JSON.parse(stdout()));
  expect(all.map(({ name, ports, master, domid: of, guest }) => [name, ports, master, of, guest])).toEqual([
    ['lo', [], null, null, null],
    ['xenbr0', [vif], null, null, null],
    [vif, [], 'xenbr0', domid, 'web1'],
  ]);
});

it('bofh network list prints a table', async () => {
  const { at, vif } = stage();
  const { runtime, stdout } = at();
  await runVerb(runtime, 'network list');
  expect(stdout()).toMatch(/^INTERFACE +KIND +STATE +MAC +MTU +ADDRESSES +ON +GUEST\n/);
  expect(stdout()).toMatch(new RegExp(`^${vif} +vif +UP .* xenbr0 +web1$`, 'm'));
  expect(stdout()).toMatch(/^lo .* 127\.0\.0\.1\/8 /m);
});

it('bofh network list shows the domain ID alone without an answer from Xen', async () => {
  const { at, vif, host, domid } = stage();
  host.fault({ tool: 'xl', access: 'read', mode: 'fails before', times: 9 });
  const { runtime, stdout } = at({ json: true });
  expect(await runVerb(runtime, 'network list')).toBe(0);
  const one = answers.networkList.parse(JSON.parse(stdout())).find(({ name }) => name === vif);
  expect(one).toMatchObject({ domid, guest: null });
});

it('bofh network list fails if the answer of xl cannot be parsed', async () => {
  const { at, host } = stage();
  host.fault({ tool: 'xl', access: 'read', mode: 'garbage answer' });

  await expect(runVerb(at().runtime, 'network list')).rejects.toThrow(ParseError);
});

it('bofh network show prints one interface with its counters, and fails for an unknown one', async () => {
  const { at, vif } = stage();
  const { runtime, stdout } = at();
  await runVerb(runtime, `network show ${vif}`);
  expect(stdout()).toContain('master     xenbr0 (forwarding)\n');
  expect(stdout()).toContain('guest      web1\n');
  expect(stdout()).toContain('received   0 B in 0 packets, 0 errors, 0 dropped\n');
  const json = at({ json: true });
  await runVerb(json.runtime, 'network show xenbr0');
  expect(answers.networkShow.parse(JSON.parse(json.stdout()))).toMatchObject({
    kind: 'bridge',
    ports: [vif],
  });
  await expect(runVerb(at().runtime, 'network show eth9')).rejects.toThrow(
    'there is no network interface eth9',
  );
});
