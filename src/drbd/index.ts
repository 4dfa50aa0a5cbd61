export type { ConfiguredVolume } from './config.ts';
export { differences } from './differences.ts';
export { type Memory, memoryFor } from './memory.ts';
export { type Next, nextFree, type Taken, taken } from './next.ts';
export { type Finding, findings, kernelFindings, missingAddresses } from './problems.ts';
export type { ProcDevice, ProcStatus } from './proc.ts';
export { resourcesIn } from './proc-resources.ts';
export {
  configured,
  moduleVersion,
  procStatus,
  type Resource,
  resourceNamed,
  resources,
  states,
  utilsVersion,
} from './reads.ts';
export { dataSize, deviceSizeFor, externalMetadata, internalMetadata } from './size.ts';
export type { Connection, ResourceState } from './state.ts';
export { inWords, isResync, type Towards, towards, waitUntil } from './wait.ts';
