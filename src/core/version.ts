import { readFileSync } from 'node:fs';

/** The version in package.json, which is beside `dist/` and beside `src/`. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
