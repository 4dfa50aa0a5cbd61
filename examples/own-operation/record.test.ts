/** Tries the operation with every fault, as bofh's own operations are tried. */
import { matrixFaults, operationMatrix } from 'bofh/testing';
import { expect, it } from 'vitest';
import { record } from './record.js';

it.each(matrixFaults)('%s: the host is as before, or as after', { timeout: 60_000 }, async (fault) => {
  const counts = await operationMatrix(
    record,
    {
      stage: (host) => {
        host.admin.mkdir('/etc/dnsmasq.hosts');
        return { directory: '/etc/dnsmasq.hosts', name: 'web1', address: '192.0.2.10' };
      },
    },
    [fault],
  );
  expect(counts[fault]?.wrong).toEqual([]);
});
