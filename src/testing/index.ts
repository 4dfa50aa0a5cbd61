/** Published as `bofh/testing`: a whole host in memory, for tests and for `--dry-run`. */
export type { Admin } from './admin/index.ts';
export { archive, type TarEnd, type TarMember } from './archive.ts';
export { simulatedBofh } from './bofh.ts';
export { type Access, type Fault, type FaultMode, ProcessKilled } from './faults.ts';
export { simulatedHost, type SimulatedHost } from './host.ts';
export { memoryLocks, memoryProcesses } from './locks.ts';
export { type Peer, simulatedPair } from './pair.ts';
export type { LinkFault } from './pair-link.ts';
export type { Keep } from './power.ts';
export { simulate } from './simulate.ts';
export { memoryStore } from './store.ts';
export type { Domain, Superblock } from './parts.ts';
export type { Change, WorldOptions } from './world.ts';
