export * from './operations.ts';
export { sha256 } from './path.ts';
