import { describe, expect, test } from 'vitest';
import { createReplica, planCreate } from '../../../src/replica/create.ts';
import { membersAt } from '../../../src/replica/hosts.ts';
import { checkCreate } from '../../../src/replica/request.ts';
import { fork } from '../../../src/testing/fork.ts';
import type { SimulatedHost } from '../../../src/testing/index.ts';
import { crossings, type Made, referenceOf, tryOnTwo } from '../../support/undo/two-hosts.ts';
import { faults } from '../../support/undo/two-faults.ts';
import { ground, request } from './support.ts';

// A replica is made, with all that can happen at each moment between its hosts: both have it in the end, or neither has.

const alpha = ground('alpha', '10.0.0.1');
const beta = ground('beta', '10.0.0.2');

/** As the boot of a host with `drbdadm up all` has it. */
function heal(host: SimulatedHost): void {
  if (host.world.drbd.resources.length === 0) host.admin.drbdadm('up', 'web1');
}

const made: Made = {
  hosts: () => [fork(alpha), fork(beta)],
  heal,
  act: async (tx, { engine, site }) => {
    const members = await membersAt(engine, checked.on);
    planned ??= planCreate({ members, site, request: checked });
    await createReplica(tx, engine, { ...(await planned), members });
  },
};

/** Once: it is the same on every copy of these hosts. */
let planned: ReturnType<typeof planCreate> | undefined;

const some = [
  'acts there, then fails',
  'the link is cut after, the answer is lost',
  'the link is cut while the program runs on',
  'the power of the other host fails after',
  'the other host is booted, and nobody sees it',
  'SIGKILL of the coordinator after',
  'the power of the coordinator fails',
];
const tried = Object.entries(faults).filter(
  ([title]) => process.env['BOFH_MATRIX'] === 'whole' || some.includes(title),
);

const checked = checkCreate(request);
const reference = referenceOf(made);

describe.each(tried)('%s', (_, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each crossing of a replica that ends %s',
    async (ends) => {
      const all = await crossings(made, ends);
      expect(all.length).toBeGreaterThan(10);
      const found: string[] = [];
      let before = 0;
      for (const at of all) {
        const one = await tryOnTwo(made, await reference, { ...trouble, at, ends });
        if (one.ended === 'before') before += 1;
        if (one.ended === 'neither') found.push(`${String(at)}: ${one.why}`);
      }

      expect(found).toEqual([]);
      expect(before).toBeGreaterThan(0);
    },
    120_000,
  );
});
