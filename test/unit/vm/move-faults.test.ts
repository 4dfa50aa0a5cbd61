import { beforeAll, describe, expect, test } from 'vitest';
import { fork } from '../../../src/testing/fork.ts';
import type { SimulatedHost } from '../../../src/testing/index.ts';
import { ownAnd } from '../../../src/replica/hosts.ts';
import { moveVm, planMove } from '../../../src/vm/move.ts';
import { faults } from '../../support/undo/two-faults.ts';
import { crossings, type Made, referenceOf, tryOnTwo } from '../../support/undo/two-hosts.ts';
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

describe.each(tried)('%s', (_, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each crossing of a move that ends %s',
    async (ends) => {
      const all = await crossings(made, ends);
      expect(all.length).toBeGreaterThan(10);
      const found: string[] = [];
      let before = 0;
      for (const at of all) {
        const one = await tryOnTwo(made, reference, { ...trouble, at, ends });
        if (one.ended === 'before') before += 1;
        if (one.ended === 'neither') found.push(`${String(at)}: ${one.why}`);
      }

      expect(found).toEqual([]);
      expect(before).toBeGreaterThan(0);
    },
    120_000,
  );
});
