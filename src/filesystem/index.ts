export { check, type FilesystemCheck } from './check.ts';
export { checkDevice, checkRoom } from './checks.ts';
export { type BtrfsSuperblock, btrfsSuperblock } from './commands/btrfs.ts';
export { info, type FilesystemDetails } from './info.ts';
export { newSwap } from './new-swap.ts';
export { debugfsEntries, debugfsFeatures, debugfsRoot, debugfsText } from './commands/files.ts';
export {
  directoryChanged,
  directoryWitness,
  type Filesystem,
  filesChanged,
  filesOf,
  filesWitness,
  holding,
  named,
  nodeOf,
  wholeAt,
  otherHolders,
} from './files.ts';
export { checkUuidChange } from './uuids.ts';
