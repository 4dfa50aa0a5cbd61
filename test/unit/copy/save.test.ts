import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const file = '/srv/backup/root';

/** The same host, on whose disk another program overwrites the file when bofh begins to read it back. */
function overwriting(host: SimulatedHost): SimulatedHost {
  return {
    ...host,
    during: (step) => {
      const changing = host.during(step);
      return {
        ...changing,
        run: async (command) => {
          const input = command.argv.find((word) => word.startsWith('if=/srv/backup/'));
          if (command.tool === 'dd' && input !== undefined) host.admin.writeFile(input.slice(3), 'x');
          return changing.run(command);
        },
      };
    },
  };
}

test.each([
  ['compressed', {}, /failed|not written correctly/],
  ['encrypted', { recipients: ['age1simulated'] }, /not written correctly/],
])('%s: a file with another content than was written is not kept', async (_, how, message) => {
  const host = simulatedHost();
  host.admin.mkdir('/srv/backup');
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 4 });
  const before = host.snapshot();

  const error = await rejectionOf(
    withBofh(simulatedBofh({ host: overwriting(host) }), () =>
      atomic('save', (tx) => tx.copy.save({ device: '/dev/vg0/data', file, ...how })),
    ),
  );

  expect((error as Error).message).toMatch(message);
  expect(host.snapshot()).toEqual(before);
});
