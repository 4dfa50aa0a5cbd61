import type { World } from '../world/world.ts';
import { doesOn } from './act.ts';
import { type BtrfsAdmin, btrfsActs } from './btrfs.ts';
import { type CryptAdmin, cryptActs } from './crypt.ts';
import { type DeviceAdmin, deviceActs } from './devices.ts';
import { type DomainAdmin, domainActs } from './domains.ts';
import { type DrbdAdmin, drbdActs } from './drbd.ts';
import { type FileAdmin, fileActs } from './files.ts';
import { type GroupAdmin, groupActs } from './groups.ts';
import { type MountAdmin, mountActs } from './mounts.ts';
import { type NetworkAdmin, networkActs } from './network.ts';
import { type PackageAdmin, packageActs } from './packages.ts';
import { type ServiceAdmin, serviceActs } from './services.ts';
import { type VolumeAdmin, volumeActs } from './volumes.ts';

/** Acts of an administrator on the host, without bofh. All of them are immediate and durable. */
export interface Admin
  extends VolumeAdmin,
    GroupAdmin,
    DeviceAdmin,
    CryptAdmin,
    FileAdmin,
    MountAdmin,
    DomainAdmin,
    DrbdAdmin,
    NetworkAdmin,
    PackageAdmin,
    ServiceAdmin,
    BtrfsAdmin {}

/** Returns all acts for a simulated host. */
export function admin(world: World): Admin {
  const does = doesOn(world);
  return {
    ...volumeActs(world, does),
    ...groupActs(world, does),
    ...deviceActs(world, does),
    ...cryptActs(world, does),
    ...fileActs(world, does),
    ...mountActs(world, does),
    ...domainActs(world, does),
    ...drbdActs(world, does),
    ...networkActs(world, does),
    ...packageActs(world, does),
    ...serviceActs(world, does),
    ...btrfsActs(world, does),
  };
}
