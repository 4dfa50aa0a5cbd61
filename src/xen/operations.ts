export { create } from './operations/create.ts';
export { shutdown } from './operations/shutdown.ts';
