import { describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { lineOf, unnamed } from '../plan/support.ts';
import { guestOnTwo } from '../vm/move-support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const done = ({ changes }: SimulatedHost): readonly string[] => changes.map((each) => unnamed(lineOf(each)));

describe('bofh vm move', () => {
  it('says where the guest is', async () => {
    const { here } = await guestOnTwo();
    const { runtime, stdout } = testRuntime(here);

    expect(await runVerb(runtime, 'vm move web1 there')).toBe(0);

    expect(stdout()).toMatch(
      /^web1 has moved from alpha to beta: it runs there as domain \d+\nconfigured in \/etc\/xen\/web1\.cfg there; web1 is primary there\n$/,
    );
  });

  it('says how to start a guest that was off', async () => {
    const { here } = await guestOnTwo({ starts: false });
    const said = testRuntime(here, { json: true });
    await runVerb(said.runtime, 'vm move web1 there --time 1m');
    expect(answers.vmMove.parse(JSON.parse(said.stdout()))).toEqual({
      ...{ name: 'web1', from: 'alpha', to: 'beta', config: '/etc/xen/web1.cfg', resources: ['web1'] },
      domid: null,
    });

    const other = await guestOnTwo({ starts: false });
    const words = testRuntime(other.here);
    await runVerb(words.runtime, 'vm move web1 there');
    expect(words.stdout()).toContain('start it there: bofh --host there xen start web1');
  });

  it('plans the changes on both hosts, and changes nothing', async () => {
    const dry = await guestOnTwo();
    const before = [dry.alpha.snapshot(), dry.there.host().snapshot()];
    const planned = testRuntime(dry.here, { dryRun: true, json: true });
    expect(await runVerb(planned.runtime, 'vm move web1 there')).toBe(0);
    expect([dry.alpha.snapshot(), dry.there.host().snapshot()]).toEqual(before);

    const real = await guestOnTwo();
    const [here, there] = [done(real.alpha).length, done(real.there.host()).length];
    await runVerb(testRuntime(real.here).runtime, 'vm move web1 there');
    const lines = answers.plan
      .parse(JSON.parse(planned.stdout()))
      .steps.flatMap(({ host, changes }) =>
        changes.map(({ line }) => ({ host: host ?? '', line: unnamed(line) })),
      );
    const on = (name: string) => lines.filter(({ host }) => host === name).map(({ line }) => line);
    expect(on('')).toEqual(done(real.alpha).slice(here));
    expect(on('there')).toEqual(done(real.there.host()).slice(there));
    expect(on('there').filter((line) => /^xl create .*web1\.cfg/.test(line))).toHaveLength(1);
  });

  it('is followed by a vm remove --keep-replicas that names the commands to remove the disks', async () => {
    const { here } = await guestOnTwo({ starts: false });
    const { runtime, stdout } = testRuntime(here, { yes: true });

    expect(await runVerb(runtime, 'vm remove web1 --keep-replicas')).toBe(0);

    expect(stdout()).toMatch(/left untouched on both hosts.*\/dev\/drbd0;.*bofh drbd remove RESOURCE/);
  });
});

describe('bofh vm remove of a guest with replicated disks', () => {
  const remove = 'vm remove web1 --on alpha,there --force-off';
  const done = ({ changes }: SimulatedHost): readonly string[] =>
    changes.map((each) => unnamed(lineOf(each)));

  it('makes the changes of its plan on each host, and the plan changes nothing', async () => {
    const dry = await guestOnTwo();
    const before = [dry.alpha.snapshot(), dry.there.host().snapshot()];
    const planned = testRuntime(dry.here, { dryRun: true, json: true });
    expect(await runVerb(planned.runtime, remove)).toBe(0);
    expect([dry.alpha.snapshot(), dry.there.host().snapshot()]).toEqual(before);

    const real = await guestOnTwo();
    const [here, there] = [done(real.alpha).length, done(real.there.host()).length];
    const { runtime, stdout } = testRuntime(real.here, { yes: true, json: true });
    await runVerb(runtime, remove);
    expect(answers.vmRemove.parse(JSON.parse(stdout()))).toEqual({
      ...{ name: 'web1', config: '/etc/xen/web1.cfg', volumes: [], kept: [], keptDisks: [], peer: null },
      replicas: [
        {
          resource: 'web1',
          hosts: ['alpha', 'beta'].map((name) => ({ name, volumes: ['vg0/web1'], kept: [] })),
        },
      ],
    });
    const lines = answers.plan
      .parse(JSON.parse(planned.stdout()))
      .steps.flatMap(({ host, changes }) =>
        changes.map(({ line }) => ({ host: host ?? '', line: unnamed(line) })),
      );
    const on = (name: string) => lines.filter(({ host }) => host === name).map(({ line }) => line);
    expect(on('')).toEqual(done(real.alpha).slice(here));
    expect(on('there')).toEqual(done(real.there.host()).slice(there));
    expect(on('there').length).toBeGreaterThan(0);
  });

  it('asks first, and shows what is removed on which host', async () => {
    const hosts = await guestOnTwo();
    const before = [hosts.alpha.snapshot(), hosts.there.host().snapshot()];
    const { runtime, stderr } = testRuntime(hosts.here, {}, ['no']);
    await expect(runVerb(runtime, remove)).rejects.toThrow();
    expect(stderr()).toContain('the DRBD resource web1 on alpha and beta');
    expect(stderr()).toContain('the logical volume vg0/web1 on beta and all data on it');
    expect([hosts.alpha.snapshot(), hosts.there.host().snapshot()]).toEqual(before);
  });
});
