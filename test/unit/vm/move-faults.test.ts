import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fork } from '../../../src/testing/fork.ts';
import type { SimulatedHost } from '../../../src/testing/index.ts';
import { ownAnd } from '../../../src/replica/hosts.ts';
import { moveVm, planMove } from '../../../src/vm/move.ts';
import { faults } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { counting, tryEach } from '../../support/undo/two-trials.ts';
import { guestOnTwo } from './move-support.ts';

// A guest moves, with all that can happen at each moment between its hosts: in the end it is here, or there, and never on both.

let hosts: readonly [SimulatedHost, SimulatedHost];
let reference: Awaited<ReturnType<typeof referenceOf>>;

/** As the boot of a host with `drbdadm up all` has it. */
function heal(host: SimulatedHost): void {
  if (host.world.drbd.resources.length === 0) host.admin.drbdadm('up', 'web1');
}

const made: Made = {
  heal,
  hosts: () => [fork(hosts[0]), fork(hosts[1])],
  act: async (tx, { engine, site }) => {
    const members = await ownAnd(engine, 'there');
    const plan = await planMove({ members, site, request: { name: 'web1', to: 'there', timeoutMs: 1 } });
    await moveVm(tx, engine, plan);
  },
};

beforeAll(async () => {
  const { alpha, there } = await guestOnTwo();
  // Whether a trial has come to its commit is read there.
  const history = '/var/lib/bofh/journal/history';
  for (const name of await alpha.readDir(history)) alpha.admin.removeFile(`${history}/${name}`);
  hosts = [alpha, there.host()];
  reference = await referenceOf(made);
});

// Recovery of most is alike; BOFH_MATRIX=whole tries all of them.
const some = [
  'acts there, then fails',
  'the link is cut after, the answer is lost',
  'the link is cut while the program runs on',
  'the power of the other host fails after',
  'SIGKILL of the coordinator after',
  'the power of the coordinator fails',
];
const tried = Object.entries(faults).filter(
  ([title]) => process.env['BOFH_MATRIX'] === 'whole' || some.includes(title),
);

const counts = counting();

describe.each(tried)('%s', (title, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each crossing of a move that ends %s',
    async (ends) => {
      const { found, ...count } = await tryEach(made, reference, { ...trouble, ends });
      counts.add(title, count);

      expect(found).toEqual([]);
      expect(count.trials).toBeGreaterThan(10);
      expect(count.before).toBeGreaterThan(0);
    },
    120_000,
  );
});

afterAll(() => counts.write('vm move'));
