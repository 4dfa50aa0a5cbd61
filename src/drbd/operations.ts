export { primary, secondary } from './operations/role.ts';
export { down, up } from './operations/up.ts';
