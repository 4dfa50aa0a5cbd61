/** Published as `bofh/testing`: a host in memory, for tests and for `--dry-run`. */
import '../core/globals.ts';
export type { Admin } from './administrator/index.ts';
export { archive, type TarEnd, type TarMember } from './world/archive.ts';
export { simulatedBofh } from './bofh.ts';
export { type Access, type Fault, type FaultMode, ProcessKilled } from './faults/faults.ts';
export { simulatedHost, type SimulatedHost } from './host.ts';
export { memoryLocks, memoryProcesses } from './locks.ts';
export { type Peer, simulatedPair } from './pair/pair.ts';
export type { LinkFault } from './pair/link.ts';
export type { Keep } from './faults/power-cut.ts';
export { simulate } from './real-host/simulate.ts';
export {
  type MatrixFault,
  matrixFaults,
  operationMatrix,
  type OperationSpecimen,
  type TrialCounts,
} from './matrix/index.ts';
export { memoryStore } from './store.ts';
export type { Domain, Superblock } from './world/parts.ts';
export type { Change, WorldOptions } from './world/world.ts';
