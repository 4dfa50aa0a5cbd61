export * from './operations.ts';
export { checkRemovable } from './remove.ts';
export { sha256 } from './path.ts';
export { textFile } from './text.ts';
