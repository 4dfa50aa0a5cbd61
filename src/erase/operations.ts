export * from './destroy.ts';
