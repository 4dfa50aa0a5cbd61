export { discard, zero } from './destroy.ts';
