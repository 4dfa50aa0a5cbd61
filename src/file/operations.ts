export { change } from './change.ts';
export { create } from './create.ts';
export { link } from './link.ts';
export { remove } from './remove.ts';
