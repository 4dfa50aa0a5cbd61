export * from './operations/bind.ts';
export * from './operations/crypttab.ts';
export * from './operations/fstab.ts';
export * from './operations/mount.ts';
export * from './operations/unmount.ts';
