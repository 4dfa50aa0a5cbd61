// Import this first, and `await import('….ts')` works: Node 20 cannot load TypeScript, and jiti takes 16 s for the whole source.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
