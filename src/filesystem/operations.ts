export { create } from './operations/create.ts';
export { createImage } from './operations/create-image.ts';
export { label } from './operations/label.ts';
export { repair } from './operations/repair.ts';
export { resize } from './operations/resize.ts';
export { uuid } from './operations/uuid.ts';
