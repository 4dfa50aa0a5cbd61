export * from './change.ts';
export * from './create-directory.ts';
export * from './create.ts';
export * from './link.ts';
export * from './remove-directory.ts';
export * from './remove.ts';
export * from './set-attributes.ts';
