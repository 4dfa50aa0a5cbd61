export * from './command.ts';
export * from './follow.ts';
export * from './host.ts';
export * from './key-ref.ts';
export * from './lock-name.ts';
export * from './reservations.ts';
export * from './secret.ts';
export * from './tools.ts';
