import { describe, expect, test } from 'vitest';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { archiveMembers, runScenario, scenarios } from '../../contract/index.ts';

const ownUuid = '5e1f0000-0000-4000-8000-0000000000b1';

// The same scenarios run on loop devices and in the rig: where they differ, the model is wrong.
describe('contract, on the simulated host', () => {
  for (const scenario of scenarios)
    test(scenario.name, async () => {
      const size = 64 * 1024 ** 2;
      const host = simulatedHost({ disks: ['vdy', 'vdz'].map((name) => ({ name, size })) });
      host.admin.format('/dev/vdy', { type: 'btrfs', usage: 'filesystem', uuid: ownUuid });
      host.admin.mkdir('/srv/btrfs');
      host.admin.mount('/dev/vdy', '/srv/btrfs');
      host.admin.mkdir('/srv/contract');
      host.addTar('/srv/root.tar', archiveMembers);
      const before = host.snapshot();

      const ran = await runScenario(scenario, {
        host,
        change: host.during({ outputs: '/nowhere', lock: -1 }),
        directory: '/srv/contract',
        device: '/dev/vdz',
        btrfs: '/srv/btrfs',
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
