export { copySubvolume } from './operations/copy.ts';
export { createSubvolume } from './operations/create.ts';
export { setDefaultSubvolume } from './operations/default.ts';
export { deleteSubvolume } from './operations/delete.ts';
export { setProperty } from './operations/property.ts';
export { receiveSubvolume } from './operations/receive.ts';
export { sendToFile } from './operations/send.ts';
export { snapshot } from './operations/snapshot.ts';
