export * from './set-parameter.ts';
