export { createLv } from './operations/create-lv.ts';
export { removeLv } from './operations/remove-lv.ts';
export { renameLv } from './operations/rename-lv.ts';
