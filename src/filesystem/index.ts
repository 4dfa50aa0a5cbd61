export { info, type FilesystemInfo } from './info.ts';
