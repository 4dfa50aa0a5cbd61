export { bind } from './operations/bind.ts';
export { mount } from './operations/mount.ts';
export { unmount } from './operations/unmount.ts';
