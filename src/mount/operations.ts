export { bind } from './operations/bind.ts';
export { addCrypttab, changeCrypttab, removeCrypttab } from './operations/crypttab.ts';
export { addFstab, changeFstab, removeFstab } from './operations/fstab.ts';
export { mount } from './operations/mount.ts';
export { unmount } from './operations/unmount.ts';
