export * from './activity.ts';
export * from './enablement.ts';
export * from './settle.ts';
