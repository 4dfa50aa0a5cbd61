import { blockScenarios, loopScenarios } from './block.ts';
import { btrfsDeviceScenarios } from './btrfs-devices.ts';
import { btrfsScenarios } from './btrfs.ts';
import { copyScenarios } from './copy.ts';
import { cryptScenarios } from './crypt.ts';
import { reencryptScenarios } from './crypt-reencrypt.ts';
import { drbdScenarios } from './drbd.ts';
import { fileScenarios } from './files.ts';
import { filesystemScenarios } from './filesystem.ts';
import { groupScenarios } from './lvm-groups.ts';
import { lvmScenarios } from './lvm.ts';
import { poolScenarios } from './lvm-pools.ts';
import { shellScenarios } from './shell.ts';
import { snapshotScenarios } from './lvm-snapshots.ts';
import { mountScenarios } from './mount.ts';
import { networkScenarios } from './network.ts';
import type { Scenario } from './scenario.ts';
import { xenScenarios } from './xen.ts';

export { archiveMembers, type ContractContext, runScenario, type Scenario } from './scenario.ts';

/** Everything that the simulated host and the real tools must have in common. */
export const scenarios: readonly Scenario[] = [
  ...fileScenarios,
  ...blockScenarios,
  ...loopScenarios,
  ...filesystemScenarios,
  ...mountScenarios,
  ...btrfsScenarios,
  ...btrfsDeviceScenarios,
  ...copyScenarios,
  ...lvmScenarios,
  ...snapshotScenarios,
  ...poolScenarios,
  ...groupScenarios,
  ...cryptScenarios,
  ...reencryptScenarios,
  ...drbdScenarios,
  ...xenScenarios,
  ...networkScenarios,
  ...shellScenarios,
];
