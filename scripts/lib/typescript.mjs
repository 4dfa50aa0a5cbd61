// Import this first, and `await import('….ts')` works: Node 20 loads no TypeScript, and jiti takes 16 s for all of the source.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
