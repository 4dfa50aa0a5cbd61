export * from './load-module.ts';
export * from './set-parameter.ts';
