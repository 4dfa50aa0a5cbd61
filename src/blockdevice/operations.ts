export * from './image/create.ts';
export * from './loop/attach.ts';
export * from './loop/detach.ts';
export * from './wipe/wipe.ts';
export * from './partitions/add.ts';
export * from './partitions/create.ts';
export * from './partitions/grow.ts';
