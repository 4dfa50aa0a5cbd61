export { check, type FilesystemCheck } from './check.ts';
export { info, type FilesystemInfo } from './info.ts';
