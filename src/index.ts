/** The public API: re-exports, nothing else. */
export { AtomicOperationSequence } from './atomic/index.ts';
export * as block from './api/block.ts';
export * as crypt from './api/crypt.ts';
export * as filesystem from './api/filesystem.ts';
export * as lvm from './api/lvm.ts';
export * as mount from './api/mount.ts';
export { Mounted, MountPool, NestedMounted } from './api/mount.ts';
export * as network from './api/network.ts';
export { parsePlan, type Plan } from './api/plan.ts';
export * as vm from './api/vm.ts';
export * as xen from './api/xen.ts';
export { atomic, type Bofh, connect, currentBofh, withBofh } from './bofh.ts';
export { parseKeyRef, Secret, type KeyRef } from './command/index.ts';
export * from './errors.ts';
export { localHost } from './host/local.ts';
export type { Tx } from './operations.ts';
export { defineSite, type Site, type SiteSettings } from './site.ts';
export { type Bytes, formatSize, parseSize } from './units.ts';
