export { attachLoop } from './loop/attach.ts';
export { detachLoop } from './loop/detach.ts';
