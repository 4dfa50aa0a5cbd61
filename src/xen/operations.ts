export { create } from './operations/create.ts';
export { set } from './operations/set.ts';
export { shutdown } from './operations/shutdown.ts';
