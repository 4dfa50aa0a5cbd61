export { check, type FilesystemCheck } from './check.ts';
export { checkDevice } from './checks.ts';
export { type BtrfsSuperblock, btrfsSuperblock } from './commands/btrfs.ts';
export { info, type FilesystemInfo } from './info.ts';
export { swapAnew } from './swap-anew.ts';
