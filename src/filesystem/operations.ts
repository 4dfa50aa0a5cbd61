export { create } from './operations/create.ts';
export { label } from './operations/label.ts';
export { resize } from './operations/resize.ts';
export { uuid } from './operations/uuid.ts';
