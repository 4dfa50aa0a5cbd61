/** The JSON answers of the command line: one schema for each, and the types for the code that returns them. */

export { type Plan, plan } from '../../../api/plan.ts';
export { stackTree as blockTree } from '../../../stack/schema.ts';
export { hostMap as map } from '../../../map/schema.ts';
export * from './block.ts';
export * from './boot.ts';
export * from './btrfs.ts';
export * from './crypt.ts';
export * from './doctor.ts';
export * from './drbd.ts';
export * from './failure.ts';
export * from './filesystem.ts';
export * from './host.ts';
export * from './init.ts';
export * from './journal.ts';
export * from './lvm.ts';
export * from './mount.ts';
export * from './network.ts';
export * from './recover.ts';
export * from './schema.ts';
export * from './vm.ts';
export * from './xen.ts';
