export { check, type FilesystemCheck } from './check.ts';
export {
  checkDevice,
  checkOverwrite,
  checkReplaceable,
  describe,
  refuseHeld,
  sameSignature,
} from './checks.ts';
export { type BtrfsSuperblock, btrfsSuperblock } from './commands/btrfs.ts';
export { info, type FilesystemInfo } from './info.ts';
export { overwriteSchema } from './schema.ts';
export { swapAnew } from './swap-anew.ts';
