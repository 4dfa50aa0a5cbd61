export { format } from './operations/format.ts';
export { open } from './operations/open.ts';
