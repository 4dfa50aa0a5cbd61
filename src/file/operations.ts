export * from './change.ts';
export * from './create.ts';
export * from './create-directory.ts';
export * from './link.ts';
export * from './remove.ts';
