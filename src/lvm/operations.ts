export { createPv } from './operations/create-pv.ts';
export { createLv } from './operations/create-lv.ts';
export { createVg } from './operations/create-vg.ts';
export { extendVg } from './operations/extend-vg.ts';
export { reduceVg } from './operations/reduce-vg.ts';
export { removeLv } from './operations/remove-lv.ts';
export { renameLv } from './operations/rename-lv.ts';
