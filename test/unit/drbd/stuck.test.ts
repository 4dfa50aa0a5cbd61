import { expect, it } from 'vitest';
import type { Tx } from '../../../src/operations.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import type { StuckError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { device, on, replicated } from './support.ts';

const name = 'web1';
const hosts = ['sim', 'peer'].map((each, at) => ({
  name: each,
  address: `10.0.0.${String(at + 1)}`,
  port: 7788,
  volumes: [{ minor: 0, disk: device }],
}));

function unconfigured(): SimulatedHost {
  const host = replicated();
  host.admin.removeFile('/etc/drbd.d/web1.res');
  host.world.drbd.module = 'loaded';
  return host;
}

/** The commands of an error for a stuck step are those of the tools: bofh refuses its objects to others. */
it.each<readonly [string, () => SimulatedHost, (tx: Tx) => Promise<unknown>, string]>([
  ['up', replicated, (tx) => tx.drbd.up({ name }), 'primary'],
  ['createConfig', unconfigured, (tx) => tx.drbd.createConfig({ name, hosts }), 'up'],
])('the remedy for a stuck undo of %s helps', async (_, stage, act, taken) => {
  const host = stage();
  const before = host.snapshot();
  const error = await rejectionOf(
    on(host, async (tx) => {
      await act(tx);
      host.admin.drbdadm(taken, name);
      throw new Error('boom');
    }),
  );
  const remedy = (error as StuckError).blocked[0]?.remedy ?? '';
  const [, verb = ''] = /drbdadm (\S+) web1/.exec(remedy) ?? [];
  expect(verb).not.toBe('');
  host.admin.drbdadm(verb, name);
  const { engine } = simulatedBofh({ host });
  const [journal] = await openJournals(engine);
  expect((await recover(journal?.id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  expect(host.snapshot()).toBe(before);
});
