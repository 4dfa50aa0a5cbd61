export * from './disk.ts';
export * from './guest.ts';
export * from './parse.ts';
export * from './vif.ts';
export * from './write.ts';
