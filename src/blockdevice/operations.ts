export { createImage } from './image/create.ts';
export { attachLoop } from './loop/attach.ts';
export { detachLoop } from './loop/detach.ts';
export { wipe } from './wipe/wipe.ts';
