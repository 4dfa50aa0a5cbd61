export * from './create-group.ts';
export * from './create-user.ts';
export * from './set-membership.ts';
export * from './set-user.ts';
export * from './set-keys.ts';
export * from './set-password.ts';
export * from './remove-group.ts';
export * from './remove-user.ts';
