export { createImage } from './image/create.ts';
export { attachLoop } from './loop/attach.ts';
export { detachLoop } from './loop/detach.ts';
export { wipe } from './wipe/wipe.ts';
export { addPartition } from './partitions/add.ts';
export { createPartitionTable } from './partitions/create.ts';
export { growPartition } from './partitions/grow.ts';
