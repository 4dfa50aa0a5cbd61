export { change } from './change.ts';
export { create } from './create.ts';
export { remove } from './remove.ts';
