export type { Address, Configured, ConfiguredHost, ConfiguredVolume, Options } from './config.ts';
export { type Next, nextFree, type Taken, taken } from './next.ts';
export { type Finding, findings } from './problems.ts';
export type { ProcDevice, ProcStatus } from './proc.ts';
export {
  configured,
  moduleVersion,
  procStatus,
  type Resource,
  resourceNamed,
  resources,
  states,
} from './reads.ts';
export { dataSize, deviceSizeFor, externalMetadata, internalMetadata, type MetadataShape } from './size.ts';
export type { Connection, PeerVolume, ResourceState, VolumeState } from './state.ts';
