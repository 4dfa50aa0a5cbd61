export { createConfig } from './operations/create-config.ts';
export { createMetadata } from './operations/create-metadata.ts';
export { removeConfig } from './operations/remove-config.ts';
export { primary, secondary } from './operations/role.ts';
export { down, up } from './operations/up.ts';
