export { create } from './operations/create.ts';
export { resize } from './operations/resize.ts';
