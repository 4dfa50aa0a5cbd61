import { describe, expect, test } from 'vitest';
import { simulatedHost } from '../../../src/testing/index.ts';
import { archiveMembers, runScenario, scenarios } from '../../contract/index.ts';

// The same scenarios run on loop devices and in the rig: where they differ, the model is wrong.
describe('contract, on the simulated host', () => {
  for (const scenario of scenarios)
    test(scenario.name, async () => {
      const host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
      host.admin.mkdir('/srv/contract');
      host.addTar('/srv/root.tar', archiveMembers);
      const before = host.snapshot();

      const ran = await runScenario(scenario, {
        host,
        change: host.during({ outputs: '/nowhere', lock: -1 }),
        directory: '/srv/contract',
        device: '/dev/vdz',
        vg: 'vg0',
        tar: '/srv/root.tar',
        guest: { kernel: '/vmlinuz', ramdisk: '/initrd.img' },
      });

      expect(ran).toBe('ran');
      expect(now(host.snapshot())).toBe(now(before));
    });
});

/** Scenarios do not wait for the disk. */
function now(snapshot: string): string {
  return snapshot.replace(/^durable .*\n/gm, '');
}
