export * from './operations/create.ts';
export * from './operations/create-image.ts';
export * from './operations/label.ts';
export * from './operations/repair.ts';
export * from './operations/resize.ts';
export * from './operations/trim.ts';
export * from './operations/uuid.ts';
