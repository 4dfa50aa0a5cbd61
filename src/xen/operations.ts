export * from './operations/create.ts';
export * from './operations/freeze.ts';
export * from './operations/set.ts';
export * from './operations/set-disk.ts';
export * from './operations/set-interface.ts';
export * from './operations/shutdown.ts';
