export * from './disk.ts';
export * from './edit.ts';
export * from './guest.ts';
export * from './parse.ts';
export * from './vif.ts';
export * from './write.ts';
