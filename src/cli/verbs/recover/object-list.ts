import { listRead } from '../../runtime/verb.ts';

/** For `read`: keys of objects, with commas between them. */
export const objectList = listRead((text) => text.split(',').filter((each) => each !== ''));
