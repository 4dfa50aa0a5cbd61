import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { ownAnd } from '../../../src/replica/hosts.ts';
import { moveVm, planMove } from '../../../src/vm/move.ts';
import { faultsOf, someFaults } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { isWhole } from '../../support/sampled.ts';
import { counting, tryEach } from '../../support/undo/two-trials.ts';
import { guestToTry } from './move-support.ts';

// A guest moves, with all that can happen at each moment between its hosts: in the end it is here, or there, and never on both.

let hosts: readonly [SimulatedHost, SimulatedHost];
let reference: Awaited<ReturnType<typeof referenceOf>>;

/** As the boot of a host with `drbdadm up all` has it. */
function heal(host: SimulatedHost): void {
  if (host.world.drbd.resources.length === 0) host.admin.drbdadm('up', 'web1');
}

/** Two that write to a disk of one guest. */
function onBoth(both: readonly SimulatedHost[]): string | undefined {
  const running = both.filter(({ world }) => world.domains.some(({ name }) => name === 'web1'));
  const primary = both.filter(({ world }) => world.drbd.resources.some(({ role }) => role === 'Primary'));
  if (running.length > 1) return 'the guest runs on both';
  return primary.length > 1 ? 'both hosts are primary' : undefined;
}

const made: Made = {
  ...{ heal, never: onBoth },
  hosts: () => [fork(hosts[0]), fork(hosts[1])],
  act: async (tx, { engine, site }) => {
    const members = await ownAnd(engine, 'there');
    const plan = await planMove({ members, site, request: { name: 'web1', to: 'there', timeoutMs: 1 } });
    await moveVm(tx, engine, plan);
  },
};

beforeAll(async () => {
  hosts = await guestToTry();
  reference = await referenceOf(made);
});

const counts = counting();

describe.each(faultsOf(someFaults))('%s', (title, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each access of a move that ends %s',
    async (ends) => {
      const { found, ...count } = await tryEach(made, reference, { ...trouble, ends });
      counts.add(title, count);

      expect(found).toEqual([]);
      expect(count.places).toBeGreaterThan(10);
      // A sample may have none.
      if (isWhole || trouble.fault !== 'replication cut') expect(count.before).toBeGreaterThan(0);
    },
    120_000,
  );
});

afterAll(() => counts.write('vm move'));
