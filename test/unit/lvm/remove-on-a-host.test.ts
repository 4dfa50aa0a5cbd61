import { expect, it } from 'vitest';
import { atomic, RolledBackError, withBofh } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

// Later, what the next boot activates would be taken for the work of others.
it.each(['--setautoactivation', '--activate'])(
  'a removal fails and is undone if lvchange %s exits 0 without effect',
  async (option) => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 1 });
    const before = host.snapshot();
    host.fault({ tool: 'lvchange', argvIncludes: option, mode: 'no effect, exit 0' });

    const removed = withBofh(simulatedBofh({ host }), () =>
      atomic('remove', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1' })),
    );

    await expect(removed).rejects.toThrow(RolledBackError);
    await expect(removed).rejects.toThrow(/lvchange did not .* vg0\/web1.*although it reported success/);
    expect(host.snapshot()).toBe(before);
  },
);
