import assert from 'node:assert/strict';
import { interfaces } from '../../src/network/index.ts';
import type { Scenario } from './scenario.ts';

/** What ip says of the interfaces of a host. */
export const networkScenarios: readonly Scenario[] = [
  {
    name: 'every host has a loopback interface, and what hangs on another one is carried by it',
    needs: [],
    run: async ({ host }) => {
      const all = await interfaces(host);
      const lo = all.find(({ name }) => name === 'lo');
      assert.equal(lo?.kind, 'loopback');
      assert.equal(lo.mac, undefined);
      for (const { name, master } of all)
        if (master !== undefined)
          assert.ok(
            all.find((each) => each.name === master)?.ports.includes(name),
            `${master} carries ${name}`,
          );
    },
  },
];
