export { tree } from './tree.ts';
export { type StackContent, type StackDevice, type StackTree, stackTree, type StackUse } from './schema.ts';
export { closedIn, resizeStack, type StackResize, type StackResized } from './resize.ts';
